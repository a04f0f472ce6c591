#include "cli/interrupt.hpp"

#include <poll.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

volatile std::sig_atomic_t g_asked = 0;

extern "C" void on_interrupt(int) {
    if (g_asked != 0) _exit(130);
    g_asked = 1;
}

}  // namespace

Interrupt::Interrupt() {
    g_asked = 0;
    struct sigaction action{};
    action.sa_handler = on_interrupt;  // without SA_RESTART: waits end
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &old_int_);
    sigaction(SIGTERM, &action, &old_term_);
}

Interrupt::~Interrupt() {
    sigaction(SIGINT, &old_int_, nullptr);
    sigaction(SIGTERM, &old_term_, nullptr);
}

bool Interrupt::asked() const noexcept {
    return g_asked != 0;
}

void Interrupt::sleep(std::int64_t ms) const {
    if (g_asked == 0) poll(nullptr, 0, static_cast<int>(ms));
}

}  // namespace dyad::cli
