package ginjwt_test

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/appleboy/gin-jwt/v3/store"
)

// startRedis starts a Redis server, and returns gin-jwt's store on it for each of n processes.
func startRedis(t *testing.T, n int) []*store.RedisRefreshTokenStore {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	_ = listener.Close()
	server := exec.Command(program, "--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "", "--logfile", "log")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	config := store.DefaultRedisConfig()
	config.Addr, config.CacheSize = addr, 1<<20
	var stores []*store.RedisRefreshTokenStore
	for began := time.Now(); len(stores) < n; {
		redis, err := store.NewRedisRefreshTokenStore(config)
		if err == nil {
			t.Cleanup(func() { _ = redis.Close() })
			stores = append(stores, redis)
		} else if time.Since(began) > 10*time.Second {
			t.Fatal(err)
		}
	}
	return stores
}
