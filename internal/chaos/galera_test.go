package chaos_test

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const galera = "REFRESHTOKENS_GALERA"

// TestGalera runs three nodes of one cluster, an app on each. A token that is refreshed on all three at once has one
// successor, and a node that is killed under load locks nobody out.
func TestGalera(t *testing.T) {
	needEnv(t, galera)
	cluster := newGaleraCluster(t, 3)
	var bases []string
	for _, node := range cluster.nodes {
		bases = append(bases, newApp(t, fmt.Sprintf("mysql://app:app@127.0.0.1:%d/app", node.port)).base())
	}

	fleet := newFleet(t, 6, bases...)
	for range 50 {
		for _, d := range fleet.devices {
			refreshOnAll(t, fleet, d, bases)
		}
	}
	t.Logf("%d certification failures on the way", cluster.certificationFailures(t))

	fleet.run(true, func() {
		time.Sleep(2 * time.Second)
		cluster.nodes[2].kill()
		fleet.moveTo(bases[:2]...) // as a load balancer would, once it notices
		time.Sleep(5 * time.Second)
	})
	fleet.settle()
}

// refreshOnAll presents one token at every node at once. A node that can't answer for the moment says 500, which spends
// nothing; those that answer 200 must agree.
func refreshOnAll(t *testing.T, f *fleet, d *device, bases []string) {
	t.Helper()
	d.age()
	answers := make([]string, len(bases))
	var wait sync.WaitGroup
	for i, base := range bases {
		wait.Go(func() {
			one := &device{fleet: &fleet{t: t, client: f.client, bases: []string{base}}, name: d.name, token: d.token}
			for range 100 {
				if one.refresh(); one.token != d.token {
					answers[i] = one.token
					return
				}
			}
			t.Errorf("%s: %s never answered 200", d.name, base)
		})
	}
	wait.Wait()
	for _, answer := range answers {
		if answer != answers[0] {
			t.Fatalf("%s: the family forked", d.name)
		}
	}
	d.token = answers[0]
}

type galeraNode struct {
	data    string
	port    int
	command *exec.Cmd
}

type galeraCluster struct {
	t     *testing.T
	nodes []*galeraNode
}

func newGaleraCluster(t *testing.T, size int) *galeraCluster {
	t.Helper()
	provider, err := filepath.Glob("/usr/lib/galera/libgalera_smm.so")
	if err != nil || len(provider) == 0 {
		t.Fatal("Galera is not installed: apt-get install galera-4 rsync")
	}
	// Not t.TempDir, which is below a directory that only its owner may enter.
	dir, err := os.MkdirTemp("", "refreshtokens-galera")
	if err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command("chown", "mysql", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &galeraCluster{t: t}
	var group, sst, ist []int
	for i := range size {
		group, sst, ist = append(group, freePort(t)), append(sst, freePort(t)), append(ist, freePort(t))
		c.nodes = append(c.nodes, &galeraNode{data: filepath.Join(dir, fmt.Sprint("node", i)), port: freePort(t)})
	}
	var members []string
	for _, port := range group {
		members = append(members, fmt.Sprintf("127.0.0.1:%d", port))
	}
	for i, node := range c.nodes {
		output, err := exec.Command("mariadb-install-db", "--no-defaults", "--user=mysql",
			"--auth-root-authentication-method=normal", "--skip-test-db", "--datadir="+node.data).CombinedOutput()
		if err != nil {
			t.Fatalf("mariadb-install-db: %v: %s", err, output)
		}
		args := []string{
			"--no-defaults", "--user=mysql", "--datadir=" + node.data, "--bind-address=127.0.0.1",
			fmt.Sprintf("--port=%d", node.port), "--socket=" + node.data + ".sock", "--pid-file=" + node.data + ".pid",
			"--log-error=" + node.data + ".log", "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2",
			"--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=2",
			"--wsrep-on=ON", "--wsrep-provider=" + provider[0], "--wsrep-cluster-name=refreshtokens",
			"--wsrep-cluster-address=gcomm://" + strings.Join(members, ","), "--wsrep-node-address=127.0.0.1",
			"--wsrep-sync-wait=1", // the devices refresh on another node as soon as they have logged in
			"--wsrep-sst-method=rsync", fmt.Sprintf("--wsrep-sst-receive-address=127.0.0.1:%d", sst[i]),
			fmt.Sprintf("--wsrep-provider-options=gcache.size=16M;gmcast.listen_addr=tcp://127.0.0.1:%d;ist.recv_addr=127.0.0.1:%d", group[i], ist[i]),
		}
		if i == 0 {
			args = append(args, "--wsrep-new-cluster")
		}
		node.command = exec.Command("mariadbd", args...)
		if err := node.command.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(node.kill)
		t.Cleanup(func() {
			if log, err := os.ReadFile(node.data + ".log"); err == nil && t.Failed() {
				t.Logf("node %d: … %s", i, log[max(0, len(log)-4000):])
			}
		})
		waitFor(t, fmt.Sprintf("node %d", i), func() bool {
			return c.status(node, "wsrep_local_state_comment") == "Synced"
		})
	}
	root := c.open(c.nodes[0])
	defer func() { _ = root.Close() }()
	for _, statement := range []string{"CREATE DATABASE app", "CREATE USER app@'127.0.0.1' IDENTIFIED BY 'app'", "GRANT ALL ON app.* TO app@'127.0.0.1'"} {
		if _, err := root.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// open connects to a node as root; the caller closes.
func (c *galeraCluster) open(node *galeraNode) *sql.DB {
	db, err := sql.Open("mysql", fmt.Sprintf("root@unix(%s.sock)/mysql", node.data))
	if err != nil {
		c.t.Fatal(err)
	}
	return db
}

func (c *galeraCluster) status(node *galeraNode, variable string) string {
	db := c.open(node)
	defer func() { _ = db.Close() }()
	var name, value string
	_ = db.QueryRow("SHOW STATUS LIKE '"+variable+"'").Scan(&name, &value) // not up yet
	return value
}

func (c *galeraCluster) certificationFailures(t *testing.T) int {
	t.Helper()
	total := 0
	for _, node := range c.nodes {
		for _, variable := range []string{"wsrep_local_cert_failures", "wsrep_local_bf_aborts"} {
			var n int
			if _, err := fmt.Sscan(c.status(node, variable), &n); err != nil {
				t.Error(err)
			}
			total += n
		}
	}
	if total == 0 {
		t.Error("no two nodes ever collided: this proves nothing")
	}
	return total
}

func (n *galeraNode) kill() {
	_ = n.command.Process.Kill()
	_ = n.command.Wait()
}
