package main

import (
	"fmt"
	"net"
	"os/exec"
)

func main() {
	_, failed := net.Dial("tcp", "127.0.0.1:80")
	fmt.Println("socket", failed == nil)
	fmt.Println("process", exec.Command("C:\\prog\\dials.exe").Run() == nil)
}
