//go:build linux && amd64

package metal_test

import (
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// onBootOnly are functions that only the boot processor may run: those that call the
// firmware or print, and those that use what it alone uses.
var onBootOnly = []string{"callFirmware", "firmware", "consoleWrite", "say", "warn", "fail", "leave", "bootCall", "drainOutput", "pollKeys", "startKernel"}

// TestOtherCores looks for a path from the points at which another core than the boot
// processor enters Go code to a function of onBootOnly. The points are the Go functions
// that the assembly calls, except where the firmware calls the program (entry). A path
// ends where the code asks whether this is the boot processor.
func TestOtherCores(t *testing.T) {
	calls := callsOnOtherCores(t)
	assembly, err := os.ReadFile("entry_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string]string{} // by function: the one that calls it
	var todo []string
	for _, text := range strings.Split(string(assembly), "\nTEXT ·")[1:] {
		if strings.HasPrefix(text, "entry(") {
			continue
		}
		for _, m := range regexp.MustCompile(`CALL ·(\w+)\(SB\)`).FindAllStringSubmatch(text, -1) {
			if _, ok := calls[m[1]]; ok && reached[m[1]] == "" {
				reached[m[1]] = "the assembly"
				todo = append(todo, m[1])
			}
		}
	}
	slices.Sort(todo)
	if want := []string{"giveUpBoot", "startAP", "stop", "syscall", "trap"}; !slices.Equal(todo, want) {
		t.Errorf("the assembly enters Go code at %q, want %q", todo, want)
	}
	for len(todo) > 0 {
		f := todo[0]
		todo = todo[1:]
		for callee := range calls[f] {
			if reached[callee] == "" {
				reached[callee] = f
				todo = append(todo, callee)
			}
		}
	}
	for _, f := range onBootOnly {
		if _, ok := calls[f]; !ok {
			t.Errorf("there is no function %s", f)
		}
		if reached[f] == "" {
			continue
		}
		path := f
		for caller := reached[f]; caller != ""; caller = reached[caller] {
			path = caller + " > " + path
		}
		t.Errorf("another core than the boot processor can run this: %s", path)
	}
	for _, f := range []string{"schedule", "returnCore", "deliver", "core.isBoot"} {
		if reached[f] == "" {
			t.Errorf("%s is not reached: the test does not see all paths of %q", f, slices.Sorted(maps.Keys(reached)))
		}
	}
}

// callsOnOtherCores returns, for each function of the kernel, those that it calls where it
// is not known to run on the boot processor.
func callsOnOtherCores(t *testing.T) map[string]map[string]bool {
	t.Helper()
	set := token.NewFileSet()
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	terminal, err := (&types.Config{Importer: importer.Default()}).Check("bootllama/metal/vt", set, parseFolder(t, set, "vt"), nil)
	if err != nil {
		t.Fatal(err)
	}
	files := parseFolder(t, set, ".")
	if _, err := (&types.Config{Importer: withPackage{importer.Default(), terminal}}).Check("bootllama/metal", set, files, info); err != nil {
		t.Fatal(err)
	}
	calls := map[string]map[string]bool{}
	for _, file := range files {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			called := map[string]bool{}
			calls[functionName(info.Defs[f.Name].(*types.Func))] = called
			if f.Body == nil {
				continue
			}
			p := paths{info, called}
			p.block(f.Body.List)
		}
	}
	return calls
}

// parseFolder reads the Go files of a package for the machine.
func parseFolder(t *testing.T, set *token.FileSet, folder string) (files []*ast.File) {
	t.Helper()
	context := build.Default
	context.GOOS, context.GOARCH, context.CgoEnabled = "linux", "amd64", false
	pkg, err := context.ImportDir(folder, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range pkg.GoFiles {
		f, err := parser.ParseFile(set, filepath.Join(folder, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// withPackage is an importer that has one package more.
type withPackage struct {
	types.Importer
	more *types.Package
}

func (w withPackage) Import(path string) (*types.Package, error) {
	if path == w.more.Path() {
		return w.more, nil
	}
	return w.Importer.Import(path)
}

func functionName(f *types.Func) string {
	if r := f.Signature().Recv(); r != nil {
		t := r.Type()
		if p, ok := t.(*types.Pointer); ok {
			t = p.Elem()
		}
		return t.(*types.Named).Obj().Name() + "." + f.Name()
	}
	return f.Name()
}

// paths collects the functions that statements use where they may run on another core.
type paths struct {
	info   *types.Info
	called map[string]bool
}

// isBoot says whether a condition is a call of isBoot, or one of several conditions that all
// must hold.
func isBoot(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return isBoot(e.X)
	case *ast.BinaryExpr:
		return e.Op == token.LAND && (isBoot(e.X) || isBoot(e.Y))
	case *ast.CallExpr:
		s, ok := e.Fun.(*ast.SelectorExpr)
		return ok && s.Sel.Name == "isBoot"
	}
	return false
}

// isOther says whether a condition holds on every other core: it is !isBoot(), or that or
// something else.
func isOther(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return isOther(e.X)
	case *ast.BinaryExpr:
		return e.Op == token.LOR && (isOther(e.X) || isOther(e.Y))
	case *ast.UnaryExpr:
		return e.Op == token.NOT && isBoot(e.X)
	}
	return false
}

// block walks through statements, up to one that other cores do not pass.
func (p paths) block(list []ast.Stmt) {
	for _, s := range list {
		p.walk(s)
		if i, ok := s.(*ast.IfStmt); ok && isOther(i.Cond) && i.Else == nil && ends(i.Body) {
			return
		}
	}
}

// ends says whether a block ends in return.
func ends(b *ast.BlockStmt) bool {
	if len(b.List) == 0 {
		return false
	}
	_, ok := b.List[len(b.List)-1].(*ast.ReturnStmt)
	return ok
}

func (p paths) walk(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BlockStmt:
			p.block(n.List)
			return false
		case *ast.IfStmt:
			if n.Init != nil {
				p.walk(n.Init)
			}
			p.walk(n.Cond)
			if !isBoot(n.Cond) {
				p.walk(n.Body)
			}
			if n.Else != nil && !isOther(n.Cond) {
				p.walk(n.Else)
			}
			return false
		case *ast.CaseClause:
			for _, e := range n.List {
				p.walk(e)
			}
			if len(n.List) != 1 || !isBoot(n.List[0]) {
				p.block(n.Body)
			}
			return false
		case *ast.Ident: // also a function whose value is taken
			if f, ok := p.info.Uses[n].(*types.Func); ok && f.Pkg() != nil && f.Pkg().Path() == "bootllama/metal" {
				p.called[functionName(f.Origin())] = true
			}
		}
		return true
	})
}

// TestPaths lets the walk find, and not find, calls in code with every way to ask for the
// boot processor that the kernel uses, and wrong ones.
func TestPaths(t *testing.T) {
	const source = `package metal
type core struct{}
func (c *core) isBoot() bool { return true }
func yes() bool { return true }
func found()
func hidden()
func f(c *core) {
	if c.isBoot() { hidden() } else { found() }
	if yes() && c.isBoot() { hidden() } else { found() }
	if yes() || c.isBoot() { found() }
	if !c.isBoot() || yes() { found() } else { hidden() }
	if !c.isBoot() && yes() { found() } else { found() }
	switch { case yes(): found(); case c.isBoot(): hidden(); default: found() }
	for yes() { if c.isBoot() { hidden(); continue }; found() }
	func() { found() }()
	g := found
	g()
	if !c.isBoot() { return }
	hidden()
}
`
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "source.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	if _, err := (&types.Config{IgnoreFuncBodies: false}).Check("bootllama/metal", set, []*ast.File{file}, info); err != nil {
		t.Fatal(err)
	}
	body := file.Decls[len(file.Decls)-1].(*ast.FuncDecl).Body.List
	p := paths{info, map[string]bool{}}
	p.block(body)
	if p.called["hidden"] {
		t.Error("code that only the boot processor runs is taken for code of others")
	}
	for i, s := range body[:len(body)-2] {
		p := paths{info, map[string]bool{}}
		if p.block([]ast.Stmt{s}); !p.called["found"] && i < 9 {
			t.Errorf("statement %d: a call that other cores make was not found", i)
		}
	}
}
