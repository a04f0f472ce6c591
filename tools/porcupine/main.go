// Judges whether histories of one user's contexts are linearizable: each key is a register with
// versions, each operation takes effect at one moment between its call and its return.
//
// A history is a file of JSON lines, one operation each:
//
//	{"client":1,"op":"put","key":"k","value":7,"call":12,"return":15,"version":3}
//	{"client":2,"op":"cas","key":"k","value":8,"expected":3,"call":13,"return":16,"ok":false}
//	{"client":3,"op":"get","key":"k","value":7,"version":3,"call":14,"return":18}
//
// Moments are integers of one clock. `return` null: no answer ever came; a get without one says
// nothing and is left out by whoever writes the history. Version 0: there is no such context, or
// (of a write) it is not known. Prints `ok FILE` or `illegal FILE`; the status is 1 where one is
// illegal, 2 where a file cannot be read or the time is over.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

const judgeTimeMax = 60 * time.Second

type operation struct {
	Client   int    `json:"client"`
	Op       string `json:"op"`
	Key      string `json:"key"`
	Value    int64  `json:"value"`
	Expected int64  `json:"expected"`
	Version  int64  `json:"version"`
	Ok       *bool  `json:"ok"`
	Call     int64  `json:"call"`
	Return   *int64 `json:"return"`
}

// What a key holds. Versions start at 1.
type register struct {
	version int64
	value   int64
}

var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		keys := []string{}
		byKey := map[string][]porcupine.Operation{}
		for _, one := range history {
			key := one.Input.(operation).Key
			if byKey[key] == nil {
				keys = append(keys, key)
			}
			byKey[key] = append(byKey[key], one)
		}
		parts := [][]porcupine.Operation{}
		for _, key := range keys {
			parts = append(parts, byKey[key])
		}
		return parts
	},
	Init: func() interface{} { return register{} },
	Step: func(state, input, _ interface{}) (bool, interface{}) {
		return step(state.(register), input.(operation))
	},
	Equal: func(a, b interface{}) bool { return a == b },
}

// Whether the operation may take effect now, as it was answered, and what the key holds then.
func step(now register, one operation) (bool, register) {
	written := register{now.version + 1, one.Value}
	switch one.Op {
	case "get":
		return now.version == one.Version && (one.Version == 0 || now.value == one.Value), now
	case "put":
		return one.Version == 0 || one.Version == written.version, written
	default: // cas
		fits := now.version == one.Expected
		if one.Ok != nil && *one.Ok != fits {
			return false, now
		}
		if !fits {
			return true, now
		}
		return one.Version == 0 || one.Version == written.version, written
	}
}

func readHistory(path string) ([]porcupine.Operation, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var history []porcupine.Operation
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var one operation
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(history)+1, err)
		}
		if one.Op != "get" && one.Op != "put" && one.Op != "cas" {
			return nil, fmt.Errorf("line %d: no such op: %q", len(history)+1, one.Op)
		}
		end := int64(math.MaxInt64)
		if one.Return != nil {
			end = *one.Return
		}
		if end < one.Call {
			return nil, fmt.Errorf("line %d: it returns before it is called", len(history)+1)
		}
		history = append(history, porcupine.Operation{
			ClientId: one.Client, Input: one, Call: one.Call, Return: end})
	}
	if len(history) == 0 && lines.Err() == nil {
		return nil, fmt.Errorf("it is empty")
	}
	return history, lines.Err()
}

func main() {
	status := 0
	for _, path := range os.Args[1:] {
		history, err := readHistory(path)
		if err != nil {
			fmt.Printf("unreadable %s: %v\n", path, err)
			status = 2
			continue
		}
		switch porcupine.CheckOperationsTimeout(model, history, judgeTimeMax) {
		case porcupine.Ok:
			fmt.Printf("ok %s\n", path)
		case porcupine.Illegal:
			fmt.Printf("illegal %s\n", path)
			if status == 0 {
				status = 1
			}
		default:
			fmt.Printf("undecided %s\n", path)
			status = 2
		}
	}
	os.Exit(status)
}
