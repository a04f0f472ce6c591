#include "cli/parse.hpp"

#include "cli/commands.hpp"
#include "cli/completion.hpp"
#include "cli/help.hpp"

#include <gtest/gtest.h>

namespace dyad::cli {
namespace {

const Command& root() {
    static const Command kRoot = root_command();
    return kRoot;
}

Call call_of(const std::vector<std::string>& words) {
    auto parsed = parse(root(), words);
    if (const auto* said = std::get_if<Said>(&parsed)) {
        ADD_FAILURE() << said->text;
        static const Command kNone;
        return Call(kNone, {}, {});
    }
    return std::get<Call>(std::move(parsed));
}

Said said_of(const std::vector<std::string>& words) {
    auto parsed = parse(root(), words);
    if (const auto* said = std::get_if<Said>(&parsed)) return *said;
    ADD_FAILURE() << "it was taken";
    return {};
}

template <class Each>
void each_command(const Command& command, std::vector<const Command*> path, Each each) {
    path.push_back(&command);
    each(path);
    for (const Command& below : command.commands)
        each_command(below, path, each);
}

TEST(Parse, OptionsAndArgumentsReachTheCommand) {
    const Call call = call_of({"context", "set", "k", "{\"a\":1}", "--type", "chat", "--tag", "x",
                               "--tag", "y", "--if-version", "3", "--force", "--url",
                               "http://h:1", "--json", "--user", "ada", "--instance", "i",
                               "--timeout", "7"});
    EXPECT_EQ(call.command().name, "set");
    EXPECT_EQ(call.text("KEY"), "k");
    EXPECT_EQ(call.text("DATA"), "{\"a\":1}");
    EXPECT_EQ(call.text("--type"), "chat");
    EXPECT_EQ(call.all("--tag"), (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(call.number("--if-version"), 3);
    EXPECT_TRUE(call.has("--force"));
    EXPECT_FALSE(call.has("--strategy"));
    EXPECT_TRUE(call.json());
    EXPECT_EQ(call.common().flags.at("DYAD_URL"), "http://h:1");
    EXPECT_EQ(call.common().flags.at("DISTRIBUTED_USER_ID"), "ada");
    EXPECT_EQ(call.common().instance, "i");
    EXPECT_EQ(call.common().timeout_s, 7);
}

TEST(Parse, AKeyMayBeNamedLikeACommand) {
    for (const char* key : {"status", "get", "context", "top", "ls", "serve", "-"}) {
        EXPECT_EQ(call_of({"context", "get", key}).text("KEY"), key);
        const Call put = call_of({"context", "set", key, "config"});
        EXPECT_EQ(put.text("KEY"), key);
        EXPECT_EQ(put.text("DATA"), "config");
    }
    EXPECT_EQ(call_of({"context", "get", "--", "--json"}).text("KEY"), "--json");
}

TEST(Parse, AListOptionTakesOneValueEachTime) {
    const Call call = call_of({"context", "set", "--tag", "a", "key", "{}"});
    EXPECT_EQ(call.all("--tag"), (std::vector<std::string>{"a"}));
    EXPECT_EQ(call.text("KEY"), "key");
}

TEST(Parse, TheOlderNameOfACommandIsTaken) {
    EXPECT_EQ(call_of({"context", "put", "k", "{}"}).command().name, "set");
}

TEST(Parse, ServeTakesSettingsAsFlags) {
    const Call call = call_of({"serve", "--port", "1", "--data-dir=/d", "--user", "u"});
    EXPECT_EQ(call.common().flags.at("WS_SYNC_PORT"), "1");
    EXPECT_EQ(call.common().flags.at("DYAD_DATA_DIR"), "/d");
    EXPECT_EQ(call.common().flags.at("DISTRIBUTED_USER_ID"), "u");
}

TEST(Parse, WrongUseSaysWhatIsMeantAndEndsWithTwo) {
    const std::pair<std::vector<std::string>, std::string> kCases[] = {
        {{"nonsense"}, "There is no command \"nonsense\""},
        {{"stats"}, "did you mean status?"},
        {{"context", "gte", "k"}, "did you mean get?"},
        {{"status", "--jsno"}, "did you mean --json?"},
        {{"serve", "--no-such-flag"}, "There is no option --no-such-flag"},
        {{"context", "get"}, "KEY"},
        {{"context", "get", "a", "b"}, "one argument too many"},
        {{"context", "history", "a", "--limit", "0"}, "from 1 to 1000"},
        {{"context", "history", "a", "--limit", "x"}, "from 1 to 1000"},
        {{"context", "set", "a", "{}", "--type", "poem"}, "chat|project|mode|custom"},
        {{"mode", "set", "wild"}, "inspired|didactic|parallel"},
        {{"context", "get", "a", "--version", "99999999999999999999"}, "whole number"},
        {{"status", "--url"}, "--url"},
        {{"context"}, "Usage: dyad-memory context COMMAND"}};
    for (const auto& [words, text] : kCases) {
        const Said said = said_of(words);
        EXPECT_EQ(said.status, 2) << text;
        EXPECT_NE(said.text.find(text), std::string::npos) << text << " in\n" << said.text;
    }
}

TEST(Parse, NothingAtAllIsAFriendlyHelp) {
    const Said said = said_of({});
    EXPECT_EQ(said.status, 0);
    for (const char* word : {"serve", "status", "context", "events", "doctor", "--help"})
        EXPECT_NE(said.text.find(word), std::string::npos) << word;
    EXPECT_LT(std::count(said.text.begin(), said.text.end(), '\n'), 16);
}

TEST(Parse, VersionIsAlsoAFlag) {
    EXPECT_EQ(call_of({"--version"}).command().name, "version");
}

TEST(Help, EveryCommandHasOneThatFits) {
    each_command(root(), {}, [](const std::vector<const Command*>& path) {
        const Command& command = *path.back();
        EXPECT_FALSE(command.summary.empty()) << command.name;
        EXPECT_TRUE(command.summary.ends_with('.')) << command.name;
        EXPECT_EQ(command.commands.empty(), static_cast<bool>(command.run)) << command.name;
        std::vector<std::string> words;
        for (std::size_t i = 1; i < path.size(); ++i)
            words.push_back(path[i]->name);
        words.emplace_back("--help");
        const Said said = said_of(words);
        EXPECT_EQ(said.status, 0);
        EXPECT_TRUE(said.text.starts_with("Usage: dyad-memory")) << said.text;
        EXPECT_NE(said.text.find("Exit status"), std::string::npos);
        for (const Option& option : command.options) {
            EXPECT_NE(said.text.find(option.name), std::string::npos) << option.name;
            EXPECT_FALSE(option.help.empty()) << option.name;
        }
        std::string_view rest = said.text;
        const bool examples = !command.examples.empty();
        while (!rest.empty()) {
            const std::string_view line = rest.substr(0, rest.find('\n'));
            if (!examples || !line.starts_with("  ")) EXPECT_LE(line.size(), 100u) << line;
            rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        }
    });
}

TEST(Help, BreaksLinesAtSpaces) {
    EXPECT_EQ(wrap("aa bb cc", 5, 2), "aa bb\n  cc");
    EXPECT_EQ(wrap("aaaaaaaa b", 3, 0), "aaaaaaaa\nb");
    EXPECT_EQ(wrap("", 3, 0), "");
}

TEST(Completion, NamesEveryCommandAndOption) {
    const std::string bash = bash_completion(root());
    const std::string fish = fish_completion(root());
    each_command(root(), {}, [&](const std::vector<const Command*>& path) {
        const Command& command = *path.back();
        if (path.size() > 1) {
            EXPECT_NE(bash.find(command.name), std::string::npos) << command.name;
            EXPECT_NE(fish.find("-a " + command.name + " "), std::string::npos) << command.name;
        }
        for (const Option& option : command.options) {
            if (option.is_argument()) continue;
            EXPECT_NE(bash.find(option.name), std::string::npos) << option.name;
            EXPECT_NE(fish.find("-l " + option.name.substr(2)), std::string::npos) << option.name;
        }
    });
    EXPECT_TRUE(zsh_completion(root()).starts_with("#compdef dyad-memory\n"));
}

}  // namespace
}  // namespace dyad::cli
