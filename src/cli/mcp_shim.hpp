// `dyad-memory mcp`: the stdio transport of the Model Context Protocol. A forwarder that knows no
// memory: each line of its input goes to the running server's /mcp, what that answers comes out as
// lines. Many requests may be open at once.
//
// A session of the older revisions survives its server: one that the restarted server does not know
// is made again, with its subscriptions, and the request is sent again. A tool call whose answer
// was lost is not repeated: nobody knows whether it was done.
//
// Standard output carries messages and nothing else. Threads: one.
#pragma once

#include "cli/mcp_exchange.hpp"

#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

class McpShim {
  public:
    // `names`: headers that say who is meant.
    McpShim(ServerFinder finder, net::Headers names);

    // Until the input has ended and what was open is answered, or nobody reads the output.
    Exit run();

  private:
    using Purpose = McpExchange::Purpose;
    using Exchanges = std::list<McpExchange>;

    // Input.
    void read_input();
    void take_line(std::string_view line);
    bool cancel(const McpMessage& message);
    void end_input();

    // Output.
    void say(std::string_view line);
    bool write_output();
    void refuse(McpExchange& exchange, const std::string& why, int http_status = 0);

    // Exchanges.
    void add(Purpose purpose, McpMessage message, std::int64_t due_ms = 0);
    void begin(McpExchange& exchange);
    void again(McpExchange& exchange, std::int64_t due_ms);
    std::string request_of(const McpExchange& exchange) const;
    void advance(McpExchange& exchange);
    bool on_event(McpExchange& exchange, const std::string& data);
    void on_broken(McpExchange& exchange);
    void on_answer(McpExchange& exchange);
    void on_good_answer(McpExchange& exchange);
    void on_bad_answer(McpExchange& exchange);
    void finish(McpExchange& exchange);

    // The session of the older revisions.
    bool must_wait(const McpExchange& exchange) const;
    bool has_lost_session(const McpExchange& exchange) const;
    void renew_session();
    void take_session(McpExchange& exchange);
    void restore_subscriptions();

    int wait_ms() const;
    void wait();
    void run_due();

    ServerFinder finder_;
    net::Headers names_;
    Exchanges exchanges_;
    std::vector<Upstream> idle_;
    std::string input_;
    bool skipping_ = false;  // the rest of a line that is too long
    bool ended_ = false;     // the input has
    std::int64_t end_by_ms_ = 0;
    std::string output_;
    bool reader_gone_ = false;

    McpMessage initialize_;  // of the client, for a session that has to be made again
    McpMessage initialized_;
    std::string session_;
    std::string revision_;
    std::map<std::string, McpMessage> subscriptions_;  // by URI
};

}  // namespace dyad::cli
