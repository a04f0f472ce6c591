// Places in a user's log, as clients are told of them and come back with them.
#pragma once

#include "store/log.hpp"

#include <optional>

namespace dyad::server {

Position position_at(Epoch epoch, Offset offset, const Hash& hash);
// Of an event whose text is the log's own. Requires: its log is of this epoch.
Position position_of(Epoch epoch, const EventView& event);
// The log's own position at `offset`, where the slice shows it.
std::optional<Position> known_position(const LogSlice& slice, Offset offset);
// Whether the slice, read from `position` on, is of the log that the position is of: it is not that
// of a restored backup, or of another store.
bool is_of_this_log(const Position& position, const LogSlice& slice);

}  // namespace dyad::server
