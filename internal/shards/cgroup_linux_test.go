package shards_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// limit holds processes to a share of one CPU by a control group, until the benchmark is over. The error says why it can't.
func limit(t testing.TB, name string, processes []int, share float64) error {
	t.Helper()
	parent, unified, err := cpuController()
	if err != nil {
		return err
	}
	group := filepath.Join(parent, fmt.Sprintf("refreshtokens-%d-%s", os.Getpid(), name))
	if err := os.Mkdir(group, 0o755); err != nil {
		return err
	}
	t.Cleanup(func() {
		if err := leave(group, parent); err != nil {
			t.Error(err)
		}
	})
	const period = 100_000 // µs
	quota := fmt.Sprint(int(share * period))
	if unified {
		err = write(group, "cpu.max", fmt.Sprint(quota, " ", period))
	} else {
		err = errors.Join(write(group, "cpu.cfs_period_us", fmt.Sprint(period)), write(group, "cpu.cfs_quota_us", quota))
	}
	return errors.Join(err, enter(group, processes))
}

// cpuController returns the root of the hierarchy that can limit CPU time, and whether that is version 2's.
func cpuController() (root string, unified bool, err error) {
	mounts, err := os.Open("/proc/mounts")
	if err != nil {
		return "", false, err
	}
	defer func() { _ = mounts.Close() }()
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		fields := strings.Fields(lines.Text()) // device, directory, type, options
		switch {
		case fields[2] == "cgroup" && slices.Contains(strings.Split(fields[3], ","), "cpu"):
			return fields[1], false, nil
		case fields[2] == "cgroup2":
			controllers, _ := os.ReadFile(filepath.Join(fields[1], "cgroup.controllers"))
			if slices.Contains(strings.Fields(string(controllers)), "cpu") {
				return fields[1], true, write(fields[1], "cgroup.subtree_control", "+cpu")
			}
		}
	}
	return "", false, errors.New("no control group here can limit CPU time")
}

// enter moves processes into a control group. Those that they start later are in it too.
func enter(group string, processes []int) error {
	for _, process := range processes {
		if err := write(group, "cgroup.procs", fmt.Sprint(process)); err != nil && !errors.Is(err, syscall.ESRCH) { // it has ended
			return err
		}
	}
	return nil
}

// leave moves the group's processes to another one, and removes it. Processes may start or end meanwhile.
func leave(group, to string) error {
	var err error
	for range 10 {
		var text []byte
		if text, err = os.ReadFile(filepath.Join(group, "cgroup.procs")); err != nil {
			return err
		}
		for process := range strings.FieldsSeq(string(text)) {
			if err := write(to, "cgroup.procs", process); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		if err = os.Remove(group); err == nil {
			return nil
		}
	}
	return err
}

func write(group, file, text string) error {
	return os.WriteFile(filepath.Join(group, file), []byte(text), 0o600)
}
