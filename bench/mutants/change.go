//go:build unix

package main

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// kind is what a mutant changes.
type kind string

const (
	condition kind = "condition" // negated, its bound moved, "and" for "or"
	constant  kind = "constant"  // one more, one less, the other truth
	statement kind = "statement" // left out
	lostError kind = "error"     // lost
	operand   kind = "operand"   // exchanged with its neighbour, another operation
	returned  kind = "return"    // another value
	register  kind = "register"  // assembly: another one
)

var kinds = []kind{condition, constant, statement, lostError, operand, returned, register}

// roomMutants lists all mutants of the files of a room that are built for this system.
func roomMutants(dir, room string, files *regexp.Regexp) (all []mutant, err error) {
	p, err := build.ImportDir(filepath.Join(dir, room), 0)
	if err != nil {
		return nil, err
	}
	for _, name := range append(slices.Clone(p.GoFiles), p.SFiles...) {
		if name = filepath.Join(room, name); !files.MatchString(name) {
			continue
		}
		src, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		c := changes{src: string(src), m: mutant{Room: room, File: name}}
		if strings.HasSuffix(name, ".s") {
			c.assembly()
		} else if err := c.golang(); err != nil {
			return nil, err
		}
		all = append(all, c.all...)
	}
	return all, nil
}

// changes collects the mutants of one file.
type changes struct {
	src  string
	file *token.File // of Go
	m    mutant      // Room and File of all
	all  []mutant
}

// add adds the mutant that has after in the place of src[from:to].
func (c *changes) add(k kind, from, to int, after string) {
	m := c.m
	m.Kind, m.at, m.Line, m.Before, m.After = k, from, 1+strings.Count(c.src[:from], "\n"), c.src[from:to], after
	c.all = append(c.all, m)
}

// replace does it for a node of Go.
func (c *changes) replace(k kind, n ast.Node, after string) {
	c.add(k, c.file.Offset(n.Pos()), c.file.Offset(n.End()), after)
}

func (c *changes) text(n ast.Node) string {
	return c.src[c.file.Offset(n.Pos()):c.file.Offset(n.End())]
}

// golang finds the mutants of Go. It does not know types: what does not compile is left out when it is tried.
func (c *changes) golang() error {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, c.m.File, c.src, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	c.file = set.File(f.Pos())
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			continue
		}
		results := []*ast.FieldList{nil} // of the functions around a node
		var path []ast.Node
		ast.Inspect(d, func(n ast.Node) bool {
			if n == nil {
				switch path[len(path)-1].(type) {
				case *ast.FuncDecl, *ast.FuncLit:
					results = results[:len(results)-1]
				}
				path = path[:len(path)-1]
				return true
			}
			path = append(path, n)
			switch n := n.(type) {
			case *ast.FuncDecl:
				results = append(results, n.Type.Results)
			case *ast.FuncLit:
				results = append(results, n.Type.Results)
			case *ast.ReturnStmt:
				c.returned(n, results[len(results)-1])
			case *ast.BlockStmt:
				c.statements(n.List)
			case *ast.CaseClause:
				c.statements(n.Body)
			case *ast.CommClause:
				c.statements(n.Body)
			case ast.Expr:
				c.expression(n)
			case *ast.IfStmt:
				c.condition(n.Cond)
			case *ast.ForStmt:
				if n.Cond != nil {
					c.condition(n.Cond)
				}
			}
			return true
		})
	}
	return nil
}

func (c *changes) condition(cond ast.Expr) {
	text := c.text(cond)
	if strings.Contains(text, "err != nil") {
		c.replace(lostError, cond, "("+text+") && false")
		return
	}
	c.replace(condition, cond, "!("+text+")")
}

// statements leaves out one of a list.
func (c *changes) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				c.replace(statement, s, "")
			}
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt, *ast.BranchStmt:
			c.replace(statement, s, "")
		}
	}
}

// otherOperator is what an operator is taken for.
var otherOperator = map[token.Token]struct {
	kind kind
	op   string
}{
	token.LSS: {condition, "<="}, token.LEQ: {condition, "<"}, token.GTR: {condition, ">="}, token.GEQ: {condition, ">"},
	token.EQL: {condition, "!="}, token.NEQ: {condition, "=="}, token.LAND: {condition, "||"}, token.LOR: {condition, "&&"},
	token.ADD: {operand, "-"}, token.SUB: {operand, "+"}, token.MUL: {operand, "+"}, token.QUO: {operand, "*"}, token.REM: {operand, "/"},
	token.SHL: {operand, ">>"}, token.SHR: {operand, "<<"}, token.AND: {operand, "|"}, token.OR: {operand, "&"}, token.XOR: {operand, "|"},
	token.AND_NOT: {operand, "&"},
}

func (c *changes) expression(n ast.Expr) {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		x, y := c.text(n.X), c.text(n.Y)
		if other, ok := otherOperator[n.Op]; ok && !(strings.HasSuffix(x, "err") && y == "nil") { // that is lostError's
			c.replace(other.kind, n, "(("+x+") "+other.op+" ("+y+"))")
		}
		switch n.Op {
		case token.SUB, token.QUO, token.REM, token.SHL, token.SHR, token.AND_NOT:
			c.replace(operand, n, "(("+y+") "+n.Op.String()+" ("+x+"))")
		}
	case *ast.CallExpr:
		for i := 1; i < len(n.Args); i++ {
			x, y := c.text(n.Args[i-1]), c.text(n.Args[i])
			if x != y {
				c.add(operand, c.file.Offset(n.Args[i-1].Pos()), c.file.Offset(n.Args[i].End()), y+", "+x)
			}
		}
	case *ast.BasicLit:
		switch n.Kind {
		case token.INT:
			c.number(c.file.Offset(n.Pos()), n.Value)
		case token.FLOAT:
			c.replace(constant, n, "("+n.Value+" * 1.01)")
		}
	case *ast.Ident:
		if other, ok := map[string]string{"true": "false", "false": "true"}[n.Name]; ok {
			c.replace(constant, n, other)
		}
	}
}

// number changes a whole number by one.
func (c *changes) number(at int, text string) {
	v, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return
	}
	c.add(constant, at, at+len(text), fmt.Sprint(v+1))
	if v > 0 {
		c.add(constant, at, at+len(text), fmt.Sprint(v-1))
	}
}

// returned changes one of the values that a function returns.
func (c *changes) returned(n *ast.ReturnStmt, results *ast.FieldList) {
	if results == nil || len(n.Results) != results.NumFields() {
		return
	}
	var types []string
	for _, f := range results.List {
		for range max(1, len(f.Names)) {
			types = append(types, c.text(f.Type))
		}
	}
	for i, x := range n.Results {
		switch text := c.text(x); {
		case text == "nil" || text == `""`:
		case types[i] == "error":
			c.replace(lostError, x, "nil")
		case types[i] == "bool":
			c.replace(returned, x, "!("+text+")")
		case types[i] == "string":
			c.replace(returned, x, `""`)
		case strings.HasPrefix(types[i], "int"), strings.HasPrefix(types[i], "uint"), strings.HasPrefix(types[i], "float"):
			c.replace(returned, x, "("+text+") + 1")
		case strings.HasPrefix(types[i], "[]"), strings.HasPrefix(types[i], "*"):
			c.replace(returned, x, "nil")
		}
	}
}

var (
	// An instruction and its operands, perhaps within a macro.
	instruction = regexp.MustCompile(`^\s+([A-Z][A-Z0-9]+)\s+([^;\\/]+)`)
	number      = regexp.MustCompile(`\$(0x[0-9a-fA-F]+|\d+)|\b(\d+)\(|\*(\d)\)`)
	vector      = regexp.MustCompile(`\b([XYZK])(\d+)\b`)
	general     = regexp.MustCompile(`\b(AX|BX|CX|DX|SI|DI|R8|R9|R10|R11|R12|R13|R14|R15)\b`)
	// A name of a register.
	named = regexp.MustCompile(`(?m)^#define\s+(\w+)\s+([XYZK]\d+|AX|BX|CX|DX|SI|DI|R\d+)\s*(?://.*)?$`)
)

var otherJump = map[string]string{"JE": "JNE", "JEQ": "JNE", "JNE": "JEQ", "JZ": "JNZ", "JNZ": "JZ", "JL": "JLE", "JLT": "JLE", "JLE": "JLT",
	"JG": "JGE", "JGT": "JGE", "JGE": "JGT", "JB": "JLS", "JLS": "JB", "JHI": "JCC", "JA": "JCC", "JAE": "JA", "JCC": "JHI", "JCS": "JCC", "JMI": "JPL", "JPL": "JMI"}

// assembly finds the mutants of Go's assembly for amd64.
func (c *changes) assembly() {
	names := map[byte][]string{} // of registers, by the class of what they name
	class := map[string]byte{}
	for _, found := range named.FindAllStringSubmatch(c.src, -1) {
		k := found[2][0]
		if !strings.ContainsRune("XYZK", rune(k)) || found[2] == "X" {
			k = 'R'
		}
		names[k], class[found[1]] = append(names[k], found[1]), k
	}
	at := 0
	for line := range strings.Lines(c.src) {
		start := at
		at += len(line)
		found := instruction.FindStringSubmatchIndex(line)
		if found == nil {
			continue
		}
		name, from, text := line[found[2]:found[3]], start+found[4], strings.TrimRight(line[found[4]:found[5]], " \t\n")
		to := from + len(text)
		if slices.Contains([]string{"TEXT", "DATA", "GLOBL", "RET", "BYTE", "WORD", "LONG", "QUAD"}, name) {
			continue
		}
		c.add(statement, start+found[2], to, "")
		if other, ok := otherJump[name]; ok {
			c.add(condition, start+found[2], start+found[3], other)
			continue
		}
		operands := strings.Split(text, ", ")
		for i := 1; i < len(operands); i++ {
			other := slices.Clone(operands)
			if other[i-1], other[i] = other[i], other[i-1]; operands[i] != operands[i-1] {
				c.add(operand, from, to, strings.Join(other, ", "))
			}
		}
		for _, f := range number.FindAllStringSubmatchIndex(text, -1) {
			for g := 2; g < len(f); g += 2 {
				if f[g] >= 0 {
					c.number(from+f[g], text[f[g]:f[g+1]])
				}
			}
		}
		for _, f := range vector.FindAllStringSubmatchIndex(text, -1) {
			n, _ := strconv.Atoi(text[f[4]:f[5]])
			c.add(register, from+f[4], from+f[5], fmt.Sprint(n^1))
		}
		for _, f := range general.FindAllStringIndex(text, -1) {
			rs := []string{"AX", "BX", "CX", "DX", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13"}
			i := slices.Index(rs, text[f[0]:f[1]])
			c.add(register, from+f[0], from+f[1], rs[(i+1)%len(rs)])
		}
		for _, f := range regexp.MustCompile(`\b[a-z]\w*\b`).FindAllStringIndex(text, -1) {
			word := text[f[0]:f[1]]
			if same := names[class[word]]; class[word] != 0 && len(same) > 1 {
				c.add(register, from+f[0], from+f[1], same[(slices.Index(same, word)+1)%len(same)])
			}
		}
	}
}
