package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// machine says on what the run measures.
func (r *run) machine() string {
	var postgres, maria string
	r.pg.db.Raw("SHOW server_version").Scan(&postgres)
	r.maria.db.Raw("SELECT version()").Scan(&maria)
	return fmt.Sprintf("%s, %d cores, %s, PostgreSQL %s, MariaDB %s, %s", cpu(), runtime.NumCPU(), runtime.Version(), postgres, maria,
		strings.Join(strings.Fields(output("redis-server", "--version") + " - -")[:3], " "))
}

func output(name string, args ...string) string {
	text, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

func cpu() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
