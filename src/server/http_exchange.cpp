#include "server/http_exchange.hpp"

#include "base/check.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "server/cell.hpp"
#include "server/client.hpp"
#include "server/http_session.hpp"

namespace dyad::server {
namespace {

constexpr std::string_view kAccess = "access";

// Without what a query says: it may be somebody's words.
void log_access(const net::Request& request, const net::Response& response,
                std::chrono::steady_clock::duration took) {
    if (!log::enabled(log::Level::debug, kAccess)) return;
    const std::string_view target = request.target;
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    log::debug(kAccess, request.method + " " + std::string(target.substr(0, target.find('?'))) +
                            " " + std::to_string(response.status) + " " +
                            std::to_string(response.body.size()) + " bytes " + std::to_string(us) +
                            " us");
}

}  // namespace

void HttpExchange::respond(net::Response response) {
    if (session_ == nullptr) return;
    CHECK(session_->phase_ == HttpSession::Phase::answering);
    HttpSession& session = *std::exchange(session_, nullptr);
    const bool keep_alive = request_.keep_alive && !session.client_.cell().draining();
    const auto took = std::chrono::steady_clock::now() - began_;
    metrics::http_seconds.observe(took);
    log_access(request_, response, took);
    session.send_response(std::move(response), keep_alive, head_only());
    session.answered(keep_alive);  // may destroy *this
}

void HttpExchange::begin_stream(std::string content_type) {
    if (session_ == nullptr) return;
    CHECK(session_->phase_ == HttpSession::Phase::answering);
    metrics::http_requests.add();
    net::Response head;
    head.content_type = std::move(content_type);
    // Nobody on the way keeps it, changes it, or holds it back until there is more of it.
    head.headers = {{"Cache-Control", "no-cache, no-store, no-transform"},
                    {"X-Accel-Buffering", "no"},
                    {"Vary", "Accept"}};
    session_->complete(head.headers);
    session_->enter(HttpSession::Phase::streaming);
    static_cast<void>(session_->client_.send(net::stream_head(head)));
    // Only by reading is it seen that the client has gone.
    session_->client_.pause_reading(false);
    if (head_only()) end_stream();
}

bool HttpExchange::write(std::string bytes) {
    if (session_ == nullptr) return false;
    CHECK(session_->phase_ == HttpSession::Phase::streaming);
    return session_->client_.send(bytes);
}

void HttpExchange::end_stream() {
    if (session_ == nullptr) return;
    // The calls may hold this exchange.
    const std::function<void()> writable = std::exchange(writable_, nullptr);
    const std::function<void()> closed = std::exchange(closed_, nullptr);
    HttpSession& session = *std::exchange(session_, nullptr);
    session.answered(false);
}

void HttpExchange::tell_writable() {
    // The call may end the stream, which lets go of it.
    const std::function<void()> call = session_ != nullptr ? writable_ : nullptr;
    if (call) call();
}

void HttpExchange::abandon() {
    session_ = nullptr;
    // The call may hold the last reference to this exchange's handler, and the other way round.
    const std::function<void()> closed = std::move(closed_);
    writable_ = nullptr;
    closed_ = nullptr;
    if (closed) closed();
}

}  // namespace dyad::server
