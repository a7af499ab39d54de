package model_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// result is what a search found.
type result struct {
	states  int
	took    time.Duration // of processor time
	memory  string        // in MB
	broken  string        // the property that does not hold, or empty
	history []string      // how it came to that, in the words of the model's printf
}

// search has Spin visit every state of the model. The flags are for the model's preprocessor. A breadth-first search takes more
// memory, and finds a shortest history.
func search(t *testing.T, breadthFirst bool, flags ...string) result {
	t.Helper()
	dir := t.TempDir()
	source, err := os.ReadFile("refresh.pml")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "refresh.pml"), source, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	memory, optimize := "-DCOLLAPSE", "-O2"
	if breadthFirst {
		memory, optimize = "-DBFS", "-O0"
	}
	_, took := run(t, dir, "spin", append([]string{"-a"}, append(flags, "refresh.pml")...)...)
	found := result{took: took}
	// The processes share all variables, so a partial order reduction would find nothing to reduce.
	_, took = run(t, dir, "cc", optimize, "-w", "-DSAFETY", "-DNOREDUCE", memory, "-o", "pan", "pan.c")
	found.took += took
	output, took := run(t, dir, "./pan", "-n", "-m200000")
	found.took += took
	found.memory = match(output, `([\d.]+)\s+total actual memory usage`)
	found.states, err = strconv.Atoi(match(output, `(\d+) states, stored`))
	if err != nil || strings.Contains(output, "max search depth too small") || strings.Contains(output, "out of memory") {
		t.Fatalf("the search was not complete:\n%s", output)
	}
	switch match(output, `errors: (\d+)`) {
	case "0":
	case "1":
		replay, _ := run(t, dir, "spin", append([]string{"-t", "-T"}, append(flags, "refresh.pml")...)...)
		found.history = history(replay)
		last := len(found.history) - 1
		found.broken = strings.TrimPrefix(found.history[last], "broken: ")
		found.history = found.history[:last]
	default:
		t.Fatalf("the search failed:\n%s", output)
	}
	return found
}

// history returns the lines that the model printed, up to the property that broke.
func history(replay string) []string {
	var lines []string
	for line := range strings.Lines(replay) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "Starting ") || strings.HasPrefix(line, "using statement merging") {
			continue
		}
		lines = append(lines, line)
		if strings.HasPrefix(line, "broken: ") {
			return lines
		}
	}
	return []string{replay, "broken: something that the model has no name for"}
}

func match(text, pattern string) string {
	if found := regexp.MustCompile(pattern).FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}

// run runs a program in dir. It returns its output, and the processor time that it took.
func run(t *testing.T, dir, program string, args ...string) (string, time.Duration) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	command.Dir = dir
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command.Args, err, output)
	}
	return string(output), command.ProcessState.UserTime() + command.ProcessState.SystemTime()
}
