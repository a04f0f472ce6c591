#include "net/listener.hpp"

#include "base/log.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/socket.h>

namespace dyad::net {
namespace {

// So that a storm of connections does not keep the loop from those that are there.
constexpr int kAcceptsPerTurn = 64;
constexpr std::int64_t kPauseMs = 100;
constexpr std::int64_t kWarningsApartMs = 1000;

Fd open_reserve() {
    return Fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace

Listener::Listener(Loop& loop, Fd socket, std::function<void(Fd)> accepted)
    : loop_(loop),
      socket_(std::move(socket)),
      reserve_(open_reserve()),
      accepted_(std::move(accepted)) {
    CHECK(loop_.add(socket_.get(), EPOLLIN, this).has_value());
}

Listener::~Listener() {
    close();
}

void Listener::close() {
    if (!socket_.valid()) return;
    loop_.cancel(resume_);
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
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            return exhausted();
        // Errors of the connection itself count as taken (accept(2)); the next one may be good.
        if (errno == EAGAIN) return;
    }
}

void Listener::exhausted() {
    const std::int64_t now = loop_.now_ms();
    if (warned_ms_ == 0 || now - warned_ms_ >= kWarningsApartMs) {
        warned_ms_ = now;
        log::warn("websocket_sync", "out of file descriptors; raise the limit (ulimit -n)");
    }
    if (shed_one()) return;
    loop_.modify(socket_.get(), 0, this);
    resume_ = loop_.after(kPauseMs, [this] { loop_.modify(socket_.get(), EPOLLIN, this); });
}

// Without a free descriptor the connection would stay in the queue and wake the loop for ever.
bool Listener::shed_one() {
    if (!reserve_.valid()) {
        reserve_ = open_reserve();
        return reserve_.valid();
    }
    reserve_.reset();
    const bool shed = Fd(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)).valid();
    reserve_ = open_reserve();
    return shed;
}

}  // namespace dyad::net
