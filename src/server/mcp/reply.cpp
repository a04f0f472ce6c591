#include "server/mcp/reply.hpp"

#include "net/http_fields.hpp"
#include "server/mcp/rpc.hpp"
#include "server/problem.hpp"

namespace dyad::server::mcp {
namespace {

// An answer that takes longer is a stream: its client can be seen to go, and proxies to wait.
constexpr std::int64_t kStreamAfterMs = 2000;

}  // namespace

net::Response answer_of(int status, std::string text, net::Headers headers) {
    net::Response response;
    response.status = status;
    if (!text.empty()) response.content_type = "application/json";
    response.headers = std::move(headers);
    response.body = std::move(text);
    protect(response.headers);
    return response;
}

Reply::Reply(Node& node, ExchangePtr exchange, std::size_t expected, bool is_batch)
    : node_(node),
      exchange_(std::move(exchange)),
      expected_(expected),
      is_batch_(is_batch),
      last_ms_(node.clock().steady_ms()) {}

ReplyPtr Reply::make(Node& node, ExchangePtr exchange, std::size_t expected, bool is_batch) {
    return ReplyPtr(new Reply(node, std::move(exchange), expected, is_batch));
}

bool Reply::may_stream() const {
    return !gone_ && net::preference(exchange_->request().headers, kStreamType).weight > 0;
}

void Reply::watch() {
    exchange_->on_closed([weak = weak_from_this()] {
        const ReplyPtr self = weak.lock();
        if (!self) return;
        self->gone_ = true;
        for (const auto& call : std::exchange(self->on_gone_, {}))
            call();
    });
}

void Reply::begin_stream() {
    exchange_->begin_stream(std::string(kStreamType));
    streaming_ = true;
    std::string first;  // of a batch, what was answered already
    if (!texts_.empty()) append_event(first, "[" + std::exchange(texts_, {}) + "]");
    write(first.empty() ? std::string(kKeepAlive) : std::move(first));
}

void Reply::write(std::string bytes) {
    last_ms_ = node_.clock().steady_ms();
    exchange_->write(std::move(bytes));
}

bool Reply::say(std::string_view text) {
    if (!may_stream() || expected_ == 0) return false;
    if (!streaming_) begin_stream();
    std::string event;
    append_event(event, text);
    write(std::move(event));
    return true;
}

void Reply::answer(int status, std::string text, net::Headers headers) {
    if (expected_ == 0) return;
    --expected_;
    const ReplyPtr self = shared_from_this();  // what ends the exchange may let go of it
    if (streaming_ && !text.empty()) {
        std::string event;
        append_event(event, text);
        write(std::move(event));
    } else if (!text.empty()) {
        if (texts_.empty())
            texts_ = std::move(text);
        else
            texts_.append(",").append(text);
    }
    if (expected_ == 0) finish(is_batch_ ? 200 : status, std::move(headers));
}

void Reply::finish(int status, net::Headers headers) {
    on_gone_.clear();
    if (streaming_) return exchange_->end_stream();
    if (texts_.empty()) return exchange_->respond(answer_of(202, {}));
    if (is_batch_) texts_ = "[" + texts_ + "]";
    exchange_->respond(answer_of(status, std::move(texts_), std::move(headers)));
}

std::int64_t Reply::beat(std::int64_t now_ms) {
    if (!may_stream() || expected_ == 0) return kNoMore;
    const auto due_ms = [this] { return last_ms_ + (streaming_ ? kKeepAliveMs : kStreamAfterMs); };
    if (now_ms >= due_ms()) streaming_ ? write(std::string(kKeepAlive)) : begin_stream();
    return due_ms();
}

}  // namespace dyad::server::mcp
