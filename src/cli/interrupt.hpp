// Ctrl-C and SIGTERM as something that can be asked for, so that a command ends in order. A second
// one ends the process at once. Lifetime: one at a time. Threads: the main one.
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

    bool asked() const noexcept;
    // Less where it is interrupted.
    void sleep(std::int64_t ms) const;

  private:
    struct sigaction old_int_{};
    struct sigaction old_term_{};
};

}  // namespace dyad::cli
