// What must hold between settings. Internal to resolve().
#pragma once

#include "cli/settings.hpp"

namespace dyad::cli {

// Adds a problem for each rule that is broken; only values that are good by themselves are looked
// at.
void check_together(Resolved& resolved);

}  // namespace dyad::cli
