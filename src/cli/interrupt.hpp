// What ends a command that goes on by itself: Ctrl-C, SIGTERM, SIGHUP, SIGQUIT (those that were not
// ignored when it started), and nobody reading standard output any more. It can be asked for and
// waited for, so that the command ends in order. A second signal ends the process at once.
// Lifetime: one at a time. Threads: the main one.
#pragma once

#include <csignal>
#include <cstdint>

namespace dyad::cli {

class Interrupt {
  public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    // A signal came, or the reader has gone.
    bool asked() const;
    // Less where it is interrupted or the reader goes.
    void sleep(std::int64_t ms) const;
    // Becomes readable with the first signal.
    int fd() const noexcept;

  private:
    static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

    struct sigaction before_[4]{};
};

}  // namespace dyad::cli
