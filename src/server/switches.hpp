// What settings switch off, for whoever asks, by whatever way.
#pragma once

#include "model/command.hpp"
#include "server/settings.hpp"

namespace dyad::server {

// Errors: switched_off, naming the setting.
Status check_switches(const Settings& settings, const Command& command);

}  // namespace dyad::server
