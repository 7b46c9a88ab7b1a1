package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"bootllama/internal/run"
	"bootllama/internal/sign"
)

const signingHelp = `  --sign KEY --cert CERT
                  signs the program for Secure Boot: KEY is an RSA key of 2048
                  bits or more without a password, CERT its certificate, which
                  the owner of the PC enrols; each PEM or DER
`

// signing is what a program is signed with: the options --sign and --cert, files.
type signing struct{ key, certificate string }

func (s *signing) register(flags *flag.FlagSet) {
	file := func(name *string) func(string) error {
		return func(value string) error {
			if *name = value; value == "" { // perhaps a variable of a shell that has none: unsigned is not what was meant
				return errors.New("want the name of a file")
			}
			return nil
		}
	}
	flags.Func("sign", "", file(&s.key))
	flags.Func("cert", "", file(&s.certificate))
}

// check refuses one option without the other.
func (s signing) check() error {
	switch {
	case s.key != "" && s.certificate == "":
		return run.Usagef("--sign %s: --cert CERT is missing, the key's certificate", s.key)
	case s.key == "" && s.certificate != "":
		return run.Usagef("--cert %s: --sign KEY is missing, the certificate's key", s.certificate)
	}
	return nil
}

// files are the files that are read.
func (s signing) files() []string { return []string{s.key, s.certificate} }

// secret refuses to copy the key: it is among these files of the host.
func (s signing) secret(sources []string) error {
	key, err := os.Stat(s.key)
	if err != nil {
		return nil // load says so
	}
	for _, source := range sources {
		if info, err := os.Stat(source); err == nil && os.SameFile(key, info) {
			return fmt.Errorf("%s is the key, which must not be on a stick: leave it out, or move it out of the folder", source)
		}
	}
	return nil
}

// load reads the key and the certificate. Without them there is no Signer.
func (s signing) load() (*sign.Signer, error) {
	if s.key == "" {
		return nil, nil
	}
	return sign.Load(s.key, s.certificate)
}
