// How subcommands declare themselves: each file of them has a function that says, once, which there
// are, what each is given and what it does. What options are read into is kept by what is run.
// Lifetime: the parser's.
#pragma once

#include "cli/invocation.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace dyad::cli {

class RestClient;

// What the command line was read into.
struct Parsed {
    CommonOptions common;
    std::function<Exit()> run;  // of the subcommand that was named
};

using Run = std::function<Exit(const CommonOptions&)>;
using Ask = std::function<Exit(RestClient&)>;  // of the server that is meant

class Command {
  public:
    Command(CLI::App& app, Parsed& parsed) : app_(app), parsed_(parsed) {}

    // For the root: `run` is for its flag --version.
    void describe_root(Run version);
    // A subcommand that only has subcommands.
    Command group(const char* name, const char* description);
    Command add(const char* name, const char* description, Run run);
    Command add(const char* name, const char* description, Ask ask);
    template <class Given, class Options>
    Command add(const char* name, const char* description, Exit (*run)(Given&, const Options&),
                std::shared_ptr<Options> options) {
        return add(name, description, std::function<Exit(Given&)>([run, options](Given& given) {
                       return run(given, *options);
                   }));
    }

    // An option, or an argument where the name has no dash in front: that one must be given.
    // `type`: what its value is called.
    Command& flag(const char* name, bool& value, const char* help);
    Command& text(const char* name, std::string& value, const char* help,
                  const char* type = "TEXT");
    Command& texts(const char* name, std::vector<std::string>& values, const char* help,
                   const char* type, const std::vector<std::string>& words = {});
    // As a shell reads it; an empty one is none.
    Command& path(const char* name, std::string& value, const char* help);
    // One of these, in any letter case.
    Command& word(const char* name, std::string& value, const std::vector<std::string>& words,
                  const char* help, const char* type = "TEXT");
    // A whole number in decimal digits.
    Command& number(const char* name, std::int64_t& value, const char* help, std::int64_t least,
                    std::int64_t most = INT64_MAX, const char* type = "N");
    Command& number(const char* name, std::optional<std::int64_t>& value, const char* help,
                    std::int64_t least, std::int64_t most = INT64_MAX);
    // A setting of the table, in a group of the help; `short_help` in place of its meaning.
    Command& setting(std::string_view name, const char* group = "",
                     const char* short_help = nullptr);

    // Of the option that was added last.
    Command& required(bool yes = true);
    Command& excludes(const char* other);

    Command& alias(const char* name);
    // Stands at the end of the help, in front of the exit statuses.
    Command& footer(const std::string& text, bool with_statuses = true);
    Command& hide();

  private:
    Command leaf(const char* name, const char* description);
    Command& last(CLI::Option* option, const char* type);
    void add_common_options();

    CLI::App& app_;
    Parsed& parsed_;
    CLI::Option* last_ = nullptr;
};

// Each declares the commands of its file.
void add_serve(Command& root);
void add_status(Command& root);
void add_doctor(Command& root);
void add_salvage(Command& root);
void add_moving(Command& root);
void add_top(Command& root);
void add_context(Command& root);
void add_mode(Command& root);
void add_events(Command& root);
void add_watch(Command& root);
void add_hook(Command& root);
void add_import(Command& root);
void add_instances(Command& root);
void add_response(Command& root);
void add_conflicts(Command& root);
void add_bench(Command& root);
void add_bridge(Command& root);
void add_config(Command& root);
void add_mcp(Command& root);
void add_connect(Command& root);
void add_completion(Command& root);

}  // namespace dyad::cli
