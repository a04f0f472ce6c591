// A full-screen view of the terminal: the alternate screen, keys as they are typed, frames drawn
// at once. The terminal is as before when the object goes, and when the process ends by a signal,
// an exception nobody catches or exit(). One at a time.
#pragma once

#include "cli/terminal.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dyad::cli {

struct ScreenSize {
    std::size_t columns = 80;
    std::size_t rows = 24;
};

// One line of a frame, filled from the left and cut at the edge.
class ScreenLine {
  public:
    explicit ScreenLine(std::size_t columns) : left_(columns) {}

    // `text` is made printable.
    ScreenLine& add(std::string_view text, Colour colour = Colour::plain);
    // Spaces up to this column.
    ScreenLine& to(std::size_t column);
    std::size_t used() const noexcept { return used_; }
    const std::string& text() const noexcept { return text_; }

  private:
    std::string text_;
    std::size_t left_;
    std::size_t used_ = 0;
};

class Screen {
  public:
    // Nothing where standard input or output is no terminal.
    static std::optional<Screen> open();
    Screen(Screen&& other) noexcept : open_(std::exchange(other.open_, false)) {}
    Screen& operator=(Screen&&) = delete;
    ~Screen();

    static ScreenSize size();
    void draw(const std::vector<ScreenLine>& lines);
    // The next key within `ms`; nothing when the time is over, the size changed or a stop was
    // requested.
    std::optional<char> key(int ms);

  private:
    Screen() = default;
    bool open_ = true;
};

}  // namespace dyad::cli
