// The version of this build, from the build file.
#pragma once

#include <string_view>

namespace dyad::server {

inline constexpr std::string_view kVersion = DYAD_VERSION;

}  // namespace dyad::server
