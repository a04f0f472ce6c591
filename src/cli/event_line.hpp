// One event of the log in one line, for people. Pure but for the time zone.
#pragma once

#include "model/json.hpp"

#include <cstddef>
#include <string>

namespace dyad::cli {

// Without colours, of any width.
std::string event_text(const json::Value& event);
// At most `columns` wide, colours aside.
std::string event_line(const json::Value& event, std::size_t columns);

}  // namespace dyad::cli
