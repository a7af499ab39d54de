package soak_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"time"
)

// build is what a process is deployed with.
type build struct {
	secret             []byte
	previousSecrets    [][]byte
	accessKey          crypto.Signer
	previousAccessKeys []crypto.PublicKey
}

// between is how long an operator waits from one step to the next.
const between = 3 * time.Second

func newSecret() []byte { return []byte(rand.Text() + rand.Text()) }

func newAccessKey() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err) // it never fails
	}
	return key
}

func (w *world) deployFirst() {
	b := build{secret: newSecret(), accessKey: newAccessKey()}
	for _, p := range w.processes {
		p.deploy(w, b)
	}
}

// changeKeys changes the secret and the access key again and again, in the steps of docs/operating.md.
func (w *world) changeKeys(ctx context.Context) {
	for {
		b := w.processes[0].build
		old, next := b.secret, newSecret()
		oldKey, nextKey := b.accessKey, newAccessKey()
		for _, step := range []struct {
			change func(*build)
			wait   time.Duration // before the step
		}{
			{func(b *build) { b.previousSecrets = [][]byte{next} }, between},
			{func(b *build) { b.secret, b.previousSecrets = next, [][]byte{old} }, between},
			{func(b *build) { b.previousAccessKeys = []crypto.PublicKey{nextKey.Public()} }, between},
			{func(b *build) { b.accessKey, b.previousAccessKeys = nextKey, []crypto.PublicKey{oldKey.Public()} }, between},
			{func(b *build) { b.previousAccessKeys = nil }, accessTTL + between},
			{func(b *build) { b.previousSecrets = nil }, refreshTTL},
		} {
			if !pause(ctx, step.wait) {
				return
			}
			step.change(&b)
			for _, p := range w.processes { // one after the other: old and new run side by side
				p.deploy(w, b)
				w.counts.deployments.Add(1)
				if !pause(ctx, between) {
					return
				}
			}
		}
	}
}

// purge deletes old rows, with one process and then with the other.
func (w *world) purge(ctx context.Context) {
	for i := 0; pause(ctx, 5*time.Second); i++ {
		purged, err := w.processes[i%2].plugin.Load().Purge(context.WithoutCancel(ctx))
		w.counts.purged.Add(purged)
		if err != nil && w.kill == nil {
			w.t.Errorf("%s: purge: %v", w.name, err)
		} else if err != nil {
			w.counts.failures.Add(1) // its connection may have been killed; the next purge makes up for it
		}
		w.ledger.forget(time.Now().Add(-sessionTTL - 2*grace))
	}
}

// killConnections ends the processes' connections from the server's side.
func (w *world) killConnections(ctx context.Context) {
	for w.kill != nil && pause(ctx, 2*time.Second) {
		killed, err := w.kill(context.WithoutCancel(ctx))
		if err != nil {
			w.counts.failures.Add(1)
		}
		w.counts.killed.Add(int64(killed))
	}
}
