// HTTP/1.1 on one connection: requests one after the other, each answered by a handler through an
// Exchange; the checks that stand before every handler; and the way to WebSocket.
#pragma once

#include "net/http.hpp"
#include "server/exchange.hpp"
#include "server/protocol.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace dyad::server {

class Client;
class HttpExchange;

class HttpSession final : public Protocol {
  public:
    explicit HttpSession(Client& client);
    ~HttpSession() override;

    std::unique_ptr<Protocol> on_bytes(std::span<char>& bytes) override;
    void on_drained() override;
    void on_closed() override;
    void check(std::int64_t now_ms) override;
    bool in_use() const override { return false; }  // exchanges know when it has gone
    std::string take_backlog() override { return std::move(backlog_); }
    void drain() override;
    void shut(Errc why) override;

  private:
    friend class HttpExchange;
    // `sending`: an answer that the socket does not take at once; the next request waits for it.
    enum class Phase : std::uint8_t { idle, header, body, answering, sending, streaming };

    void enter(Phase phase);
    // The request is whole: answers it itself, hands it to the handler, or upgrades.
    std::unique_ptr<Protocol> serve(net::Request request);
    std::unique_ptr<Protocol> upgrade(const net::Request& request);
    // Both require that note_page() was called for the request.
    Status check_source(const net::Request& request) const;
    // The answer that needs no handler, by the head alone.
    std::optional<net::Response> early_answer(const net::Request& request) const;
    // What the reader refused, or what did not come in time.
    void refuse(const Error& error);
    // Who may read what is answered from here on.
    void note_page(const net::Request& request);
    // What every answer carries.
    void complete(net::Headers& headers) const;
    void send_response(net::Response response, bool keep_alive, bool head_only);
    void answer(net::Response response, const net::Request& request, bool keep_alive);
    void answered(bool keep_alive);
    void next_request();

    Client& client_;
    net::RequestReader reader_;
    Phase phase_ = Phase::idle;
    bool inside_ = false;                     // on_bytes is on the stack
    std::int64_t since_ms_;                   // of the phase; steady
    std::shared_ptr<HttpExchange> exchange_;  // while answering or streaming
    std::string backlog_;
    std::string page_;    // the allowed origin that asks, or empty
    bool shared_ = true;  // it may read the answer
};

}  // namespace dyad::server
