// Paths that reach us without a shell having read them (files of settings, `--data-dir=~/memory`,
// a unit of systemd), read as a shell would. Pure but for system_surroundings().
//
//     path  = [ "~" [ user ] ] *( text / "$" name / "${" name [ [ ":" ] "-" path ] "}" )
//
// What a shell would run, and what is no path, is refused: no folder is ever made whose name is `~`
// or `$HOME`.
#pragma once

#include "base/result.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace dyad::cli {

struct Surroundings {
    // Of the environment; nothing where it is not set.
    std::function<std::optional<std::string>(const std::string& name)> variable;
    // Of the passwd database; an empty name means whoever runs this.
    std::function<std::optional<std::string>(const std::string& user)> home_of;
};

// Errors: invalid_field, with what is wrong and what to write instead; blanks at the ends go.
Result<std::string> expand_path(std::string_view text, const Surroundings& surroundings);

// The environment and the passwd database of this process.
Surroundings system_surroundings();

}  // namespace dyad::cli
