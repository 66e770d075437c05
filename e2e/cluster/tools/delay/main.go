// Command delay is a slow network in front of a TCP server: every byte arrives late, in both
// directions by half of the given time, and none is lost.
//
//	delay LISTEN TARGET DELAY     for example: delay :6444 127.0.0.1:6443 500ms
//
// A round trip is slower by DELAY; throughput stays. It is what tc's netem does, for kernels that
// have no netem.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// The most pieces on their way in one direction of one connection; then the reader waits, which
// TCP tells the sender.
const onTheWay = 4096

type piece struct {
	due   time.Time
	bytes []byte
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: delay LISTEN TARGET DELAY")
		os.Exit(2)
	}
	delay, err := time.ParseDuration(os.Args[3])
	if err != nil {
		fail("the delay", err)
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fail("listening on "+os.Args[1], err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			fail("accepting", err)
		}
		go serve(client, os.Args[2], delay/2)
	}
}

func serve(client net.Conn, target string, delay time.Duration) {
	server, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		client.Close()
		return
	}
	go carry(client, server, delay)
	carry(server, client, delay)
}

// carry moves bytes one way until one side ends, and tells the other side at the due time.
func carry(from, to net.Conn, delay time.Duration) {
	pieces := make(chan piece, onTheWay)
	go func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 32*1024)
			count, err := from.Read(buffer)
			if count > 0 {
				pieces <- piece{time.Now().Add(delay), buffer[:count]}
			}
			if err != nil {
				if err != io.EOF {
					from.Close()
				}
				return
			}
		}
	}()
	for next := range pieces {
		time.Sleep(time.Until(next.due))
		if _, err := to.Write(next.bytes); err != nil {
			from.Close()
			break
		}
	}
	for range pieces {
		// What came after the other side was gone; the reader ends by itself.
	}
	if half, ok := to.(*net.TCPConn); ok {
		half.CloseWrite()
	}
}

func fail(what string, err error) {
	fmt.Fprintf(os.Stderr, "delay: %s: %v\n", what, err)
	os.Exit(1)
}
