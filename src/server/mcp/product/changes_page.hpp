// Changes of a user's memory, as an assistant is told of them.
#pragma once

#include "model/event.hpp"
#include "server/mcp/product/value.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace dyad::server::mcp {

// A page of changes while it is put together, from events in the order of the log.
class ChangesPage {
  public:
    struct Wanted {
        std::optional<std::string> prefix;  // of contexts whose key begins so, and of nothing else
        bool values = true;                 // with what contexts say
        std::size_t limit = 0;
    };

    // After `start`.
    ChangesPage(Wanted wanted, Position start) : wanted_(std::move(wanted)), position_(start) {}

    // Takes the event, if it is wanted. False: the page is full, and the event belongs to the next.
    // Errors: storage_damaged.
    Result<bool> add(std::string_view event_text);
    // It is of an event that was looked at.
    void move_to(const Position& position) { position_ = position; }
    bool empty() const noexcept { return count_ == 0; }
    // What goes on after this page.
    const Position& position() const noexcept { return position_; }
    // {"changes":[…],"position":…,"more":…}
    std::string text(bool more) const;
    // The changes alone, with commas between them.
    const std::string& items() const noexcept { return items_; }

  private:
    Wanted wanted_;
    Position position_;
    std::string items_;
    std::size_t count_ = 0;
};

}  // namespace dyad::server::mcp
