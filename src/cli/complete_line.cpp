// `dyad-memory complete`: what may stand at the end of a line, for the scripts of `completion`.
// Keys are asked of the server that the line means, for the user it means, and for no longer than a
// person waits.
#include "base/clock.hpp"
#include "cli/command_line.hpp"
#include "cli/rest_client.hpp"
#include "cli/shell_words.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

#include <algorithm>
#include <utility>

#include <CLI/CLI.hpp>

namespace dyad::cli {
namespace {

constexpr std::int64_t kAnswerS = 1;
constexpr std::int64_t kPatienceMs = 3000;  // over all pages
constexpr const char* kPage = "500";

struct Candidate {
    std::string text;
    std::string description;
};

const SettingRow* setting_of(const CLI::Option& option) {
    for (const SettingRow& row : settings_table())
        if (!row.flag.empty() && option.check_name(std::string(row.flag))) return &row;
    return nullptr;
}

// The words that its value is chosen from; none: it may be anything. A type's name holds them:
// "TYPE:{chat,project}".
std::vector<std::string> words_of(const CLI::Option& option) {
    std::vector<std::string> out;
    const std::string type = option.get_type_name();
    std::string_view words(type);
    take_part(words, '{');
    words = words.substr(0, words.find('}'));
    while (!words.empty())
        out.emplace_back(take_part(words, ','));
    if (const SettingRow* const row = setting_of(option)) {
        std::string_view choices = row->type == SettingType::boolean ? "true false" : row->choices;
        while (!choices.empty())
            out.emplace_back(take_part(choices, ' '));
    }
    return out;
}

// Reads the words before the one that is typed: which command they name, and what they set.
class Line {
  public:
    Line(const CLI::App& root, const std::vector<ShellWord>& words) : at_(&root) {
        std::size_t next = 0;
        while (next + 1 < words.size() && take_variable(words[next]))
            ++next;
        for (++next; next + 1 < words.size(); ++next)
            take(words[next], words[next + 1]);
    }

    const CLI::App& command() const { return *at_; }
    const CLI::Option* open_option() const { return open_; }
    bool only_arguments() const { return only_arguments_; }
    // The argument that comes next, if there is one.
    const CLI::Option* next_argument() const {
        const auto all = at_->get_options([](const auto* one) { return one->get_positional(); });
        return arguments_ < all.size() ? all[arguments_] : nullptr;
    }
    // What the line sets; nothing where only the shell knows it.
    std::optional<CommonOptions> common() const {
        return unread_ ? std::nullopt : std::optional(common_);
    }

  private:
    bool take_variable(const ShellWord& word) {
        std::string_view value = word.text;
        const SettingRow* const row = find_setting(take_part(value, '='));
        if (row == nullptr || word.text.find('=') == std::string::npos) return false;
        set(*row, std::string(value), word.unread);
        return true;
    }

    void take(const ShellWord& word, const ShellWord& next) {
        // Where a shell takes words apart at "=", it is a word of its own.
        if (word.text == "=" && open_ != nullptr) return;
        if (open_ != nullptr) {
            take_value(*std::exchange(open_, nullptr), word.text, word.unread);
        } else if (only_arguments_) {
            ++arguments_;
        } else if (word.text == "--") {
            only_arguments_ = true;
        } else if (word.text.size() > 1 && word.text.front() == '-') {
            take_option(word, next);
        } else if (const CLI::App* const child = subcommand(*at_, word.text)) {
            at_ = child;
            arguments_ = 0;
        } else {
            ++arguments_;
        }
    }

    void take_option(const ShellWord& word, const ShellWord& next) {
        const std::size_t equals = word.text.find('=');
        const CLI::Option* const option = at_->get_option_no_throw(word.text.substr(0, equals));
        if (option == nullptr || option->get_expected_max() == 0) return;
        if (equals != std::string::npos)
            return take_value(*option, word.text.substr(equals + 1), word.unread);
        // A switch may stand alone.
        const std::vector<std::string> words = words_of(*option);
        if (option->get_expected_min() > 0 ||
            std::any_of(words.begin(), words.end(),
                        [&](const auto& one) { return one.starts_with(next.text); }))
            open_ = option;
    }

    void take_value(const CLI::Option& option, const std::string& value, bool unread) {
        if (const SettingRow* const row = setting_of(option)) set(*row, value, unread);
        if (!option.check_name("--env-file")) return;
        common_.env_file = value;
        unread_ = unread_ || unread;
    }
    void set(const SettingRow& row, std::string value, bool unread) {
        unread_ = unread_ || unread;
        common_.flags[std::string(row.name)] = std::move(value);
    }

    const CLI::App* at_;
    const CLI::Option* open_ = nullptr;  // waits for its value
    std::size_t arguments_ = 0;
    bool only_arguments_ = false;
    bool unread_ = false;
    CommonOptions common_;
};

std::vector<Candidate> keys(const Line& line, const std::string& prefix) {
    std::optional<CommonOptions> common = line.common();
    if (!common) return {};
    common->timeout_s = kAnswerS;
    std::optional<RestClient> client = RestClient::open_quietly(*common);
    if (!client) return {};
    const SystemClock clock;
    const std::int64_t end_ms = clock.steady_ms() + kPatienceMs;
    std::vector<Candidate> out;
    std::string cursor;
    do {
        const Answer answer = client->get(
            with_query("contexts", {{"limit", kPage}, {"prefix", prefix}, {"cursor", cursor}}));
        if (!answer) break;
        for (const json::Value& context : list_at(answer.value, "contexts")) {
            const std::string key = text_at(context, "contextKey");
            // What would drive the terminal, or be an option, is not offered.
            const bool option = key.starts_with('-') && !line.only_arguments();
            if (printable(key) == key && !option) out.push_back({key, ""});
        }
        cursor = text_at(answer.value, "next");
    } while (!cursor.empty() && clock.steady_ms() < end_ms);
    return out;
}

// What `option` may be, with `before` in front of each.
void add_values(std::vector<Candidate>& out, const Line& line, const CLI::Option& option,
                const std::string& typed, const std::string& before = {}) {
    if (option.get_name() == "KEY" || option.get_type_name() == "KEY")
        for (const Candidate& key : keys(line, typed))
            out.push_back({before + key.text, ""});
    for (const std::string& word : words_of(option))
        out.push_back({before + word, ""});
}

std::vector<Candidate> candidates(const Line& line, const std::string& typed) {
    std::vector<Candidate> out;
    if (line.open_option() != nullptr) {
        add_values(out, line, *line.open_option(), typed);
        return out;
    }
    const CLI::App& command = line.command();
    const std::size_t equals = typed.find('=');
    if (!line.only_arguments() && typed.starts_with("--") && equals != std::string::npos) {
        if (const auto* const option = command.get_option_no_throw(typed.substr(0, equals)))
            add_values(out, line, *option, typed.substr(equals + 1), typed.substr(0, equals + 1));
        return out;
    }
    if (!typed.starts_with('-') || line.only_arguments()) {
        for (const CLI::App* child : subcommands(command))
            out.push_back({child->get_name(), child->get_description()});
        if (const CLI::Option* const argument = line.next_argument())
            add_values(out, line, *argument, typed);
    }
    if (!line.only_arguments())
        for (const CLI::Option* option : command.get_options())
            for (const std::string& name : option->get_lnames())
                out.push_back({"--" + name, option->get_description()});
    return out;
}

// bash puts in place only what stands behind the last character at which it takes words apart, and
// takes what it gets as it is.
std::string for_bash(const std::string& text, const ShellWord& typed, std::string_view breaks) {
    if (typed.quote != '\0') return typed.at_once ? shell_quoted(text, typed.quote) : "";
    std::size_t from = 0;
    for (std::size_t i = 0; i < typed.text.size(); ++i)
        if ((typed.text[i] == ':' || typed.text[i] == '=') &&
            breaks.find(typed.text[i]) != std::string_view::npos)
            from = i + 1;
    return shell_quoted(std::string_view(text).substr(from), '\0');
}

}  // namespace

Exit run_complete(const CLI::App& root, const CompleteOptions& options) {
    const std::vector<ShellWord> words = shell_words(options.line);
    const ShellWord& typed = words.back();
    if (typed.unread) return Exit::ok;
    for (const auto& [text, description] : candidates(Line(root, words), typed.text)) {
        if (!text.starts_with(typed.text)) continue;
        const std::string shown = options.shell == "bash" ? for_bash(text, typed, options.breaks)
                                  : description.empty()   ? text
                                                          : text + "\t" + description;
        if (!shown.empty()) print_line(shown);
    }
    return Exit::ok;
}

}  // namespace dyad::cli
