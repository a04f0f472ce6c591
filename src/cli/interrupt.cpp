#include "cli/interrupt.hpp"

#include "base/check.hpp"
#include "cli/terminal.hpp"

#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

volatile std::sig_atomic_t g_asked = 0;
int g_pipe[2] = {-1, -1};  // a byte in it for the signal

extern "C" void on_interrupt(int) {
    if (g_asked != 0) _exit(130);
    g_asked = 1;
    const int code = errno;
    static_cast<void>(!write(g_pipe[1], "", 1));
    errno = code;
}

}  // namespace

Interrupt::Interrupt() {
    g_asked = 0;
    CHECK(pipe2(g_pipe, O_CLOEXEC | O_NONBLOCK) == 0);
    struct sigaction action{};
    action.sa_handler = on_interrupt;
    action.sa_flags = SA_RESTART;  // what is being written is written; waits end by the pipe
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < std::size(kSignals); ++i) {
        sigaction(kSignals[i], nullptr, &before_[i]);
        if (before_[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &action, nullptr);
    }
}

Interrupt::~Interrupt() {
    for (std::size_t i = 0; i < std::size(kSignals); ++i)
        sigaction(kSignals[i], &before_[i], nullptr);
    for (int& end : g_pipe) {
        ::close(end);
        end = -1;
    }
}

bool Interrupt::asked() const {
    return g_asked != 0 || reader_is_gone();
}

void Interrupt::sleep(std::int64_t ms) const {
    pollfd wake[2] = {{g_pipe[0], POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
    poll(wake, 2, static_cast<int>(ms));
}

int Interrupt::fd() const noexcept {
    return g_pipe[0];
}

}  // namespace dyad::cli
