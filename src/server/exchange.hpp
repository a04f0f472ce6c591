// One HTTP request and its answer: the seam between the connection, which owns the socket, and the
// handlers, which know the product.
//
// Lifetime: shared; a handler keeps it until it has answered. An exchange whose client has gone
// ignores what is said to it. Threads: the cell's.
#pragma once

#include "net/http.hpp"

#include <functional>
#include <memory>
#include <string>

namespace dyad::server {

class Exchange {
  public:
    virtual ~Exchange() = default;

    virtual const net::Request& request() const = 0;
    // The whole answer. Requires: neither respond nor begin_stream was called before.
    virtual void respond(net::Response response) = 0;

    // An answer without end (server-sent events). Requires: as respond.
    virtual void begin_stream(std::string content_type) = 0;
    // False: the socket is full; write no more until `on_writable` is called.
    virtual bool write(std::string bytes) = 0;
    virtual void on_writable(std::function<void()> call) = 0;
    // The client has gone, or the server closes the stream.
    virtual void on_closed(std::function<void()> call) = 0;
    virtual void end_stream() = 0;
};
using ExchangePtr = std::shared_ptr<Exchange>;

}  // namespace dyad::server
