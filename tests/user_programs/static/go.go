package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

type node struct {
	left, right *node
	value       int
}

func build(depth int) *node {
	if depth == 0 {
		return &node{value: 1}
	}
	return &node{build(depth - 1), build(depth - 1), depth}
}

func (n *node) sum() int {
	if n == nil {
		return 0
	}
	return n.value + n.left.sum() + n.right.sum()
}

func recovered() (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	var n *node
	return fmt.Sprint(n.value)
}

func main() {
	total, lock, group := 0, sync.Mutex{}, sync.WaitGroup{}
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			sum := build(8 + i%4).sum()
			lock.Lock()
			total += sum
			lock.Unlock()
		}(i)
	}
	group.Wait()
	runtime.GC()
	fmt.Println("trees", total)

	numbers, squares := make(chan int), make(chan int)
	go func() {
		for i := 0; i < 1000; i++ {
			numbers <- i
		}
		close(numbers)
	}()
	go func() {
		for n := range numbers {
			squares <- n * n
		}
		close(squares)
	}()
	sum := 0
	for s := range squares {
		sum += s
	}
	fmt.Println("squares", sum)

	words := map[string]int{}
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		for _, word := range strings.Fields(scanner.Text()) {
			words[word]++
		}
	}
	var keys []string
	for word := range words {
		keys = append(keys, word)
	}
	sort.Strings(keys)
	fmt.Printf("%d words, the last %q %d times\n", len(keys), keys[len(keys)-1], words[keys[len(keys)-1]])
	fmt.Printf("%x\n", sha256.Sum256([]byte(strings.Repeat("go", 5000))))
	fmt.Println(math.Sin(1), math.Pow(2, 0.5), math.Floor(-2.5), float32(1)/3, uint64(1)<<63/7)
	fmt.Println(recovered())

	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGUSR1)
	syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
	select {
	case s := <-caught:
		fmt.Println("caught", s)
	case <-time.After(20 * time.Second):
		fmt.Println("no signal")
	}
	start := time.Now()
	time.Sleep(20 * time.Millisecond)
	fmt.Println(time.Since(start) >= 20*time.Millisecond, runtime.GOARCH != "")
	os.Exit(3)
}
