// The official Go client: connects, lists and calls, and says what it saw as one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	ctx := context.Background()
	client := mcp.NewClient(&mcp.Implementation{Name: "go-sdk", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: os.Args[1] + "/mcp"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	tools, err := session.ListTools(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	names := []string{}
	for _, tool := range tools.Tools {
		names = append(names, tool.Name)
	}
	called, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "test_simple_text", Arguments: map[string]any{}})
	if err != nil {
		log.Fatal(err)
	}
	read, err := session.ReadResource(ctx, &mcp.ReadResourceParams{URI: "test://static-text"})
	if err != nil {
		log.Fatal(err)
	}
	version := ""
	if welcome := session.InitializeResult(); welcome != nil {
		version = welcome.ProtocolVersion
	}
	if err := session.Close(); err != nil {
		log.Fatal(err)
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"version": version, "tools": names,
		"text": called.Content[0].(*mcp.TextContent).Text, "read": read.Contents[0].Text,
	})
}
