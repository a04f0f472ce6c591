#include "cli/mcp_exchange.hpp"

#include "base/limits.hpp"

namespace dyad::cli {
namespace {

constexpr auto kAnswerMax = static_cast<std::size_t>(limits::mcp_shim_answer_bytes_max);

}  // namespace

void McpExchange::begin(Upstream upstream, std::string request) {
    upstream_ = std::move(upstream);
    request_ = std::move(request);
    sent_ = 0;
    ++tries;
}

bool McpExchange::is_stream() const {
    return status() == 200 && header("content-type").value_or("").starts_with("text/event-stream");
}

McpExchange::State McpExchange::advance(const OnEvent& on_event) {
    while (wants_to_send()) {
        const net::IoResult sent = upstream_->send(std::string_view(request_).substr(sent_));
        if (sent.state == net::Io::closed) return State::broken;
        sent_ += sent.bytes;
        if (sent.state == net::Io::would_block) break;
    }
    char buffer[16384];
    for (;;) {
        const net::IoResult got = upstream_->receive(buffer);
        if (got.state == net::Io::would_block) return State::open;
        if (got.state == net::Io::closed)
            return reader_.ended() && !is_stream() ? State::complete : State::broken;
        const State state = take(std::string_view(buffer, got.bytes), on_event);
        if (state != State::open) return state;
    }
}

McpExchange::State McpExchange::take(std::string_view bytes, const OnEvent& on_event) {
    const Result<bool> complete = reader_.feed(bytes, body_);
    if (!complete) return State::broken;
    bool wanted = true;
    if (is_stream()) {
        event_bytes_ += body_.size();
        wanted = events_.feed(body_, [&](const ServerSentEvent& event) {
            event_bytes_ = 0;
            return on_event(event);
        });
        body_.clear();
        if (!wanted) return State::complete;
        // What the stream did not answer before its end, it does not answer any more.
        if (*complete) return State::broken;
    }
    if (body_.size() > kAnswerMax || event_bytes_ > kAnswerMax) return State::broken;
    return *complete ? State::complete : State::open;
}

std::optional<Upstream> McpExchange::end() {
    std::optional<Upstream> upstream;
    if (upstream_ && reader_.keeps_alive() && !wants_to_send()) upstream = std::move(upstream_);
    upstream_.reset();
    request_.clear();
    reader_ = {};
    body_.clear();
    events_.restart();
    event_bytes_ = 0;
    return upstream;
}

}  // namespace dyad::cli
