package main

import (
	"context"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	ginjwt "github.com/appleboy/gin-jwt/v3"
	"github.com/golang-jwt/jwt/v5"
)

// peers measures other modules.
func (r *run) peers() []*contender {
	always, stopAlways := startRedis("always")
	none, stopNone := startRedis("")
	defer stopAlways()
	defer stopNone()
	var peers []*contender
	for name, addr := range map[string]string{"gin-jwt, memory": "", ginJWTAlways: always, "gin-jwt, Redis without persistence": none} {
		mint, server := ginJWT(addr)
		peers = append(peers, &contender{name: name, addr: server, requests: chains(mint, "/refresh", "refresh_token", `"refresh_token":"`)})
	}
	slices.SortFunc(peers, func(a, b *contender) int { return strings.Compare(a.name, b.name) })
	r.compete(peers...)
	return peers
}

// ginJWTAlways is the peer that loses nothing when the machine dies, as the databases don't.
const ginJWTAlways = "gin-jwt, Redis `appendfsync always`"

// ginJWT starts a server with appleboy/gin-jwt. It keeps refresh tokens in the Redis at redisAddr, or in memory if that is empty.
func ginJWT(redisAddr string) (mint func() string, addr string) {
	middleware := &ginjwt.GinJWTMiddleware{
		Realm: "bench", Key: []byte(secret), Timeout: 15 * time.Minute, MaxRefresh: 7 * 24 * time.Hour, IdentityKey: "sub",
		PayloadFunc: func(data any) jwt.MapClaims { return jwt.MapClaims{"sub": data} },
	}
	if redisAddr != "" {
		middleware.EnableRedisStore(ginjwt.WithRedisAddr(redisAddr), ginjwt.WithRedisPool(connections, time.Minute, time.Hour))
	}
	log.SetOutput(io.Discard) // gin-jwt logs which store it uses
	middleware = must(ginjwt.New(middleware))
	log.SetOutput(os.Stderr)
	router := newRouter()
	router.POST("/refresh", middleware.RefreshHandler)
	mint = func() string {
		return must(middleware.TokenGenerator(context.Background(), subject)).RefreshToken
	}
	return mint, serve(router)
}

// startRedis starts a Redis server on a free port. appendfsync is "always", or empty for no persistence.
func startRedis(appendfsync string) (addr string, stop func()) {
	dir := must(os.MkdirTemp("", "refreshtokens-bench"))
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	addr = listener.Addr().String()
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(addr)
	args := []string{"--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "", "--logfile", filepath.Join(dir, "log")}
	if appendfsync != "" {
		args = append(args, "--appendonly", "yes", "--appendfsync", appendfsync)
	}
	command := exec.Command("redis-server", args...)
	if err := command.Start(); err != nil {
		log.Fatal(err)
	}
	for range 100 {
		if connection, err := net.Dial("tcp", addr); err == nil {
			_ = connection.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return addr, func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		_ = os.RemoveAll(dir)
	}
}
