// What a plain client sees of an event: all but its operation id. One line of text, made from the
// event's change by the node and from its text by the judge.
#pragma once

#include "model/change.hpp"

#include <string>
#include <string_view>

namespace dyad::sim {

std::string plain_form(const EventOrigin& origin, const Change& change);
// Requires: a batch of one event.
std::string plain_form(const EventBatch& event);

}  // namespace dyad::sim
