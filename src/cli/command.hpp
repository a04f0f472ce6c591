// The commands of the program as data. Parsing (parse.hpp), help (help.hpp) and shell completion
// (completion.cpp) all read this one description.
#pragma once

#include "cli/invocation.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

struct Option {
    std::string name;   // "--limit"; or "KEY", an argument without a flag
    std::string value;  // what stands for its value in the help; empty: a switch
    std::string help;
    std::vector<std::string> choices{};  // the only values allowed; empty: any
    bool number = false;                 // a whole number from min to max
    std::int64_t min = 0;
    std::int64_t max = 0;
    bool required = false;
    bool repeated = false;
    std::string setting{};  // the setting that it gives a value to

    bool is_argument() const noexcept { return !name.starts_with('-'); }
    bool is_switch() const noexcept { return !is_argument() && value.empty(); }
};

Option argument(std::string name, std::string help);
Option optional_argument(std::string name, std::string help);
Option toggle(std::string name, std::string help);
Option text_option(std::string name, std::string value, std::string help);
Option list_option(std::string name, std::string value, std::string help);
Option number_option(std::string name, std::int64_t min, std::int64_t max, std::string help);
Option choice_option(std::string name, std::vector<std::string> choices, std::string help);

struct Command;

// One invocation of a command: what was given to it.
class Call {
  public:
    // Lifetime: the command outlives the call.
    Call(const Command& command, Common common,
         std::map<std::string, std::vector<std::string>, std::less<>> values)
        : command_(&command), common_(std::move(common)), values_(std::move(values)) {}

    const Command& command() const noexcept { return *command_; }
    const Common& common() const noexcept { return common_; }
    bool json() const noexcept { return common_.json; }
    // Require: the command has an option of this name.
    bool has(std::string_view option) const { return !all(option).empty(); }
    std::string text(std::string_view option, std::string_view fallback = {}) const;
    std::optional<std::int64_t> number(std::string_view option) const;
    const std::vector<std::string>& all(std::string_view option) const;

  private:
    const Command* command_;
    Common common_;
    std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

struct Command {
    std::string name;
    std::string summary;               // one line, for lists
    std::string details{};             // paragraphs, separated by empty lines
    std::vector<std::string> examples{};  // without "dyad-memory" in front
    std::vector<Option> options{};
    std::vector<Command> commands{};
    std::function<int(const Call&)> run{};  // empty where there are commands
    bool talks = true;                      // to a server: takes the options for that
    std::string alias{};                    // another name; empty: none
};

// The options that every command takes, and those of the ones that talk to a server.
const std::vector<Option>& common_options();
const std::vector<Option>& server_options();

}  // namespace dyad::cli
