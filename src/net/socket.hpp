// Sockets: an owned descriptor, sending without a signal, addresses and listening.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/uio.h>

namespace dyad::net {

class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) noexcept : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    ~Fd() { reset(); }

    int get() const noexcept { return fd_; }
    bool valid() const noexcept { return fd_ >= 0; }
    void reset(int fd = -1) noexcept;

  private:
    int fd_ = -1;
};

// What became of a send or a receive.
enum class Io : std::uint8_t { ok, would_block, closed };
struct IoResult {
    Io state;
    std::size_t bytes;  // taken or received
};

// Never raises SIGPIPE.
IoResult send_some(int fd, std::span<const iovec> parts) noexcept;
IoResult receive_some(int fd, std::span<char> buffer) noexcept;

// A listening, non-blocking TCP socket. `address`: IPv4 or IPv6. Port 0: any free one. Errors:
// unavailable, saying which process holds the port and how to choose another; invalid_field for an
// address that is none of this machine's.
Result<Fd> listen_tcp(const std::string& address, std::uint16_t port);

// One for each address that `host` stands for, all with the same port: localhost for the loopback
// address of both families, `::` for every address of both, 0.0.0.0 for every one of IPv4 and the
// loopback one of IPv6 (whatever listens is also found as localhost, which may be ::1 first); else
// the address itself. A family that the machine does not have is left out; a port that is taken in
// one of them is an error. Errors: listen_tcp's.
using ListenFn = Result<Fd> (*)(const std::string& address, std::uint16_t port);
Result<std::vector<Fd>> listen_all(const std::string& host, std::uint16_t port,
                                   ListenFn listen = listen_tcp);
std::uint16_t local_port(int fd);

// Who listens on the port; nothing where nobody does.
struct PortHolder {
    int process = 0;   // 0: it cannot be told, as of another user's
    std::string text;  // "process 1234 (node)", "a process of user ada"
};
PortHolder port_holder(std::uint16_t port, bool v6_only = false);

}  // namespace dyad::net
