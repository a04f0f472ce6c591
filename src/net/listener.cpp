#include "net/listener.hpp"

#include "base/log.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/socket.h>

namespace dyad::net {
namespace {

// So that a storm of connections does not keep the loop from those that are there.
constexpr int kAcceptsPerTurn = 64;

}  // namespace

Listener::Listener(Loop& loop, Fd socket, std::function<void(Fd)> accepted)
    : loop_(loop),
      socket_(std::move(socket)),
      reserve_(open("/dev/null", O_RDONLY | O_CLOEXEC)),
      accepted_(std::move(accepted)) {
    CHECK(loop_.add(socket_.get(), EPOLLIN, this).has_value());
}

Listener::~Listener() {
    close();
}

void Listener::close() {
    if (!socket_.valid()) return;
    loop_.remove(socket_.get(), this);
    socket_.reset();
}

void Listener::on_ready(std::uint32_t) {
    for (int i = 0; i < kAcceptsPerTurn && socket_.valid(); ++i) {
        Fd accepted(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (accepted.valid()) {
            accepted_(std::move(accepted));
            continue;
        }
        if (errno == EMFILE || errno == ENFILE) shed_one();
        if (errno == EINTR || errno == ECONNABORTED) continue;
        return;
    }
}

// Without a free descriptor the connection would stay in the queue and wake the loop for ever.
void Listener::shed_one() {
    log::warn("websocket_sync", "out of file descriptors; raise the limit (ulimit -n)");
    reserve_.reset();
    const Fd shed(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    reserve_.reset(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace dyad::net
