package openapi_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
)

// exchanges are those of the conformance tests and of the contract's. They run once, on SQLite: the database doesn't change an answer.
var exchanges = sync.OnceValues(func() ([]testhost.Exchange, error) {
	directory, err := os.MkdirTemp("", "exchanges")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(directory)
	path := filepath.Join(directory, "exchanges.jsonl")

	command := exec.Command("go", "test", "-count", "1", ".", "./internal/conformance")
	command.Dir = "../.."
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "REFRESHTOKENS_") {
			command.Env = append(command.Env, variable)
		}
	}
	command.Env = append(command.Env, testhost.RecordVariable+"="+path)
	if output, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, output)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readExchanges(file)
})

func readExchanges(from io.Reader) ([]testhost.Exchange, error) {
	var all []testhost.Exchange
	decoder := json.NewDecoder(bufio.NewReader(from))
	for {
		var exchange testhost.Exchange
		err := decoder.Decode(&exchange)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, exchange)
	}
}

func mustExchanges(t *testing.T) []testhost.Exchange {
	t.Helper()
	all, err := exchanges()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
