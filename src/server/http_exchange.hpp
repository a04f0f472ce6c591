// The Exchange of an HttpSession.
#pragma once

#include "server/exchange.hpp"

#include <chrono>

namespace dyad::server {

class HttpSession;

class HttpExchange final : public Exchange {
  public:
    HttpExchange(HttpSession& session, net::Request request)
        : session_(&session), request_(std::move(request)) {}

    const net::Request& request() const override { return request_; }
    void respond(net::Response response) override;
    void begin_stream(std::string content_type) override;
    bool write(std::string bytes) override;
    void on_writable(std::function<void()> call) override {
        if (session_ != nullptr) writable_ = std::move(call);
    }
    void on_closed(std::function<void()> call) override {
        if (session_ != nullptr) closed_ = std::move(call);
    }
    void end_stream() override;

    // From the session: the socket takes bytes again; the connection has gone.
    void tell_writable();
    void abandon();

  private:
    bool head_only() const { return request_.method == "HEAD"; }

    HttpSession* session_;  // null once the exchange is over
    net::Request request_;
    const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    std::function<void()> writable_;
    std::function<void()> closed_;
};

}  // namespace dyad::server
