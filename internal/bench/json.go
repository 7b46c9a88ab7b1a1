package bench

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// json returns the report as encoding/json would write it, by its tags, with a newline: that
// package is as large as a tenth of the application for UEFI.
func (r *Report) json() (string, error) {
	var b strings.Builder
	var bad error
	number := func(v float64) string {
		if math.IsInf(v, 0) || v != v {
			bad = fmt.Errorf("json: unsupported value: %v", v)
		}
		return jsonNumber(v)
	}
	list := func(values []float64) string {
		if values == nil {
			return "null"
		}
		all := make([]string, len(values))
		for i, v := range values {
			all[i] = number(v)
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	fmt.Fprintf(&b, `{"model":%s,"threads":%d,"simd":%s,"load_ms":%s`, jsonString(r.Model), r.Threads, jsonString(r.SIMD), number(r.LoadMS))
	fmt.Fprintf(&b, `,"prefill":{"tokens":%d,"tok_s":%s,"median":%s}`, r.Prefill.Tokens, list(r.Prefill.TokS), number(r.Prefill.Median))
	fmt.Fprintf(&b, `,"decode":{"tokens":%d,"tok_s":%s,"median":%s,"bytes_per_token":%d,"gb_s":%s}`, r.Decode.Tokens, list(r.Decode.TokS), number(r.Decode.Median), r.Decode.BytesPerToken, number(r.Decode.GBS))
	fmt.Fprintf(&b, `,"read":{"gb_s":%s,"median":%s}`, list(r.Read.GBS), number(r.Read.Median))
	if l := r.Guesses; l != nil {
		fmt.Fprintf(&b, `,"guesses":{"by":%s,"most":%d,"tok_s":%s,"median":%s,"tokens_per_pass":%s,"passes":%s}`, jsonString(l.By), l.Most, list(l.TokS), number(l.Median), number(l.TokensPerPass), list(l.Passes))
	}
	fmt.Fprintf(&b, `,"share":%s,"token_us":%s}`+"\n", number(r.Share), list(r.TokenUS))
	return b.String(), bad
}

// jsonNumber writes a number as ECMAScript does.
func jsonNumber(v float64) string {
	if abs := math.Abs(v); abs == 0 || abs >= 1e-6 && abs < 1e21 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strings.Replace(strconv.FormatFloat(v, 'e', -1, 64), "e-0", "e-", 1)
}

// jsonString writes a string, with the escapes of encoding/json.
func jsonString(s string) string {
	const short = `\b\t\n\f\r` + `\"\\`
	b := []byte{'"'}
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch i := strings.IndexRune("\b\t\n\f\r\"\\", r); {
		case r == utf8.RuneError && size == 1:
			b = append(b, `\ufffd`...)
		case i >= 0:
			b = append(b, short[2*i:2*i+2]...)
		case r < ' ' || strings.ContainsRune("<>&\u2028\u2029", r):
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = append(b, s[:size]...)
		}
		s = s[size:]
	}
	return string(append(b, '"'))
}
