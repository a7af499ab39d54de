package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// application is the name under which a server of its own connects to PostgreSQL.
const application = "refreshtokens-bench"

// serveApart starts this command again, as a server on the engine's database.
func (e *engine) serveApart() (addr string, pid int, stop func()) {
	dsn := e.dsn
	if e.db.Name() == "postgres" {
		dsn += " application_name=" + application
	}
	command := exec.Command(must(os.Executable()), "-serve", e.db.Name(), dsn)
	command.Stderr = os.Stderr
	output := must(command.StdoutPipe())
	if err := command.Start(); err != nil {
		log.Fatal(err)
	}
	line := must(bufio.NewReader(output).ReadString('\n'))
	return strings.TrimSpace(line), command.Process.Pid, func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
}

// serveAlone serves on a database until it is killed. It prints its address.
func serveAlone(dialect, dsn string) {
	open := map[string]func(string) gorm.Dialector{"postgres": postgres.Open, "mysql": mysql.Open, "sqlite": sqlite.Open}[dialect]
	if open == nil {
		log.Fatalf("-serve: no dialect %q", dialect)
	}
	db := must(gorm.Open(open(dsn), &gorm.Config{Logger: logger.Discard}))
	pool := must(db.DB())
	limit(pool)
	if dialect == "sqlite" {
		pool.SetMaxOpenConns(1)
	}
	router := newRouter()
	for path, grace := range map[string]time.Duration{"/strict": noGrace, "/lenient": defaultGrace} {
		config := quiet(db)
		config.GracePeriod = grace
		register(router.Group(path), config)
	}
	addr := serve(router)
	fmt.Println(addr)
	select {}
}

// loggedIn gives each client a session of its own, which it has refreshed a number of times. Where that is more than 0, its token
// repeats.
func loggedIn(addr, path string, refreshed int) func() []request {
	return func() []request {
		all := make([]request, clients)
		for i := range all {
			token := tokenOf(addr, call{path: path + "/login", body: []byte(`{"subject":"` + subject + `"}`)})
			for range refreshed {
				token = tokenOf(addr, call{path: path + refreshPath, body: bodyOf("refreshToken", token)})
			}
			all[i] = chain(path+refreshPath, "refreshToken", token, refreshMark)
			if refreshed > 0 {
				all[i] = again(path+refreshPath, "refreshToken", token, refreshMark)
			}
		}
		return all
	}
}

// tokenOf returns the refresh token in the answer to a call.
func tokenOf(addr string, c call) string {
	return between(send(&fasthttp.HostClient{Addr: addr}, addr, c).body, refreshMark, `"`)
}
