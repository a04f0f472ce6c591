// The terminal for a full-screen view: alternate screen, keys as they are typed, no cursor. Given
// back as it was on every way out, signals included. Lifetime: one at a time. Threads: the main
// one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

class RawTerminal {
  public:
    // Requires: standard input and output are terminals.
    RawTerminal();
    ~RawTerminal();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

    // The next key, 0 where none came in time, -1 where the input has ended; a change of size ends
    // the wait, too.
    int key(std::int64_t wait_ms);
    // Shows the lines, cut to the screen, in one write. Requires: each fits the columns.
    void draw(const std::vector<std::string>& lines);
};

}  // namespace dyad::cli
