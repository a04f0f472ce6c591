// `dyad-memory complete`: what may stand at the end of a line, for the scripts of `completion`.
// Keys are asked of the server that the line means, for the user it means, and for no longer than a
// person waits.
#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "cli/rest_client.hpp"
#include "cli/shell_words.hpp"
#include "cli/terminal.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr std::int64_t kAnswerMs = 1000;
constexpr std::int64_t kPatienceMs = 3000;  // over all pages
constexpr const char* kPage = "500";

struct Candidate {
    std::string text;
    std::string description;
};

// Reads the words before the one that is typed: which command they name, and what they set.
class Line {
  public:
    Line(const CommandNode& root, const std::vector<ShellWord>& words) : at_(&root) {
        std::size_t next = 0;
        for (; next + 1 < words.size() && take_variable(words[next]); ++next) {
        }
        for (++next; next + 1 < words.size(); ++next)
            take(words[next], words[next + 1]);
    }

    const CommandNode& command() const { return *at_; }
    const CommandOption* open_option() const { return open_; }
    bool only_arguments() const { return only_arguments_; }
    // The argument that comes next, if there is one.
    const CommandOption* next_argument() const {
        std::size_t left = arguments_;
        for (const CommandOption& option : at_->options)
            if (option.names.empty() && left-- == 0) return &option;
        return nullptr;
    }
    const CommandOption* find(std::string_view name) const {
        for (const CommandOption& option : at_->options)
            if (std::find(option.names.begin(), option.names.end(), name) != option.names.end())
                return &option;
        return nullptr;
    }
    // What the line sets; nothing where only the shell knows it.
    std::optional<CommonOptions> common() const {
        return unread_ ? std::nullopt : std::optional(common_);
    }

  private:
    bool take_variable(const ShellWord& word) {
        const std::size_t equals = word.text.find('=');
        const SettingRow* const row = find_setting(word.text.substr(0, equals));
        if (equals == std::string::npos || row == nullptr) return false;
        set(std::string(row->name), word.text.substr(equals + 1), word.unread);
        return true;
    }

    void take(const ShellWord& word, const ShellWord& next) {
        // Where a shell takes words apart at "=", it is a word of its own.
        if (word.text == "=" && open_ != nullptr) return;
        if (open_ != nullptr) {
            take_value(*std::exchange(open_, nullptr), word.text, word.unread);
        } else if (!only_arguments_ && word.text == "--") {
            only_arguments_ = true;
        } else if (!only_arguments_ && word.text.size() > 1 && word.text.front() == '-') {
            const std::size_t equals = word.text.find('=');
            const CommandOption* const option = find(word.text.substr(0, equals));
            if (option == nullptr || option->value.empty()) return;
            if (equals != std::string::npos)
                return take_value(*option, word.text.substr(equals + 1), word.unread);
            // A switch may stand alone.
            if (!option->optional ||
                std::any_of(option->words.begin(), option->words.end(),
                            [&](const auto& one) { return one.starts_with(next.text); }))
                open_ = option;
        } else if (const CommandNode* const child = child_of(word.text)) {
            at_ = child;
            arguments_ = 0;
        } else {
            ++arguments_;
        }
    }

    const CommandNode* child_of(const std::string& name) const {
        for (const CommandNode& child : at_->children)
            if (!only_arguments_ &&
                (child.name == name || std::find(child.aliases.begin(), child.aliases.end(),
                                                 name) != child.aliases.end()))
                return &child;
        return nullptr;
    }

    void take_value(const CommandOption& option, const std::string& value, bool unread) {
        if (option.names.front() == "--env-file") {
            common_.env_file = value;
            unread_ = unread_ || unread;
        }
        for (const SettingRow& row : settings_table())
            if (!row.flag.empty() && option.names.front() == row.flag)
                set(std::string(row.name), value, unread);
    }
    void set(std::string name, const std::string& value, bool unread) {
        unread_ = unread_ || unread;
        common_.flags[std::move(name)] = value;
    }

    const CommandNode* at_;
    const CommandOption* open_ = nullptr;  // waits for its value
    std::size_t arguments_ = 0;
    bool only_arguments_ = false;
    bool unread_ = false;
    CommonOptions common_;
};

std::vector<Candidate> keys(const Line& line, const std::string& prefix) {
    const std::optional<CommonOptions> common = line.common();
    if (!common) return {};
    std::optional<RestClient> client = RestClient::open_quietly(*common, kAnswerMs);
    if (!client) return {};
    const SystemClock clock;
    const std::int64_t end_ms = clock.steady_ms() + kPatienceMs;
    std::vector<Candidate> out;
    std::string cursor;
    do {
        std::string path = std::string("contexts?limit=") + kPage;
        if (!prefix.empty()) path.append("&prefix=").append(net::percent_encode(prefix));
        if (!cursor.empty()) path.append("&cursor=").append(net::percent_encode(cursor));
        const Answer answer = client->get(path);
        if (!answer) break;
        for (const json::Value& context : array_member(answer.value, "contexts")) {
            const std::string key = text_member(context, "contextKey");
            // What would drive the terminal, or be an option, is not offered.
            const bool option = key.starts_with('-') && !line.only_arguments();
            if (printable(key) == key && !option) out.push_back({key, ""});
        }
        cursor = text_member(answer.value, "next");
    } while (!cursor.empty() && clock.steady_ms() < end_ms);
    return out;
}

std::vector<Candidate> values(const Line& line, const CommandOption& option,
                              const std::string& typed) {
    if (option.value == "KEY") return keys(line, typed);
    std::vector<Candidate> out;
    for (const std::string& word : option.words)
        out.push_back({word, ""});
    return out;
}

std::vector<Candidate> candidates(const Line& line, const std::string& typed) {
    if (line.open_option() != nullptr) return values(line, *line.open_option(), typed);
    const std::size_t equals = typed.find('=');
    if (!line.only_arguments() && typed.starts_with("--") && equals != std::string::npos) {
        const CommandOption* const option = line.find(typed.substr(0, equals));
        if (option == nullptr) return {};
        std::vector<Candidate> out = values(line, *option, typed.substr(equals + 1));
        for (Candidate& candidate : out)
            candidate.text.insert(0, typed.substr(0, equals + 1));
        return out;
    }
    std::vector<Candidate> out;
    if (!typed.starts_with('-') || line.only_arguments()) {
        for (const CommandNode& child : line.command().children)
            out.push_back({child.name, child.description});
        if (const CommandOption* const argument = line.next_argument())
            for (Candidate& one : values(line, *argument, typed))
                out.push_back(std::move(one));
    }
    if (!line.only_arguments())
        for (const CommandOption& option : line.command().options)
            for (const std::string& name : option.names)
                if (name.starts_with("--")) out.push_back({name, option.description});
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

int run_complete(const CommandNode& root, const CompleteOptions& options) {
    const std::vector<ShellWord> words = shell_words(options.line);
    const ShellWord& typed = words.back();
    if (typed.unread) return static_cast<int>(Exit::ok);
    for (const Candidate& candidate : candidates(Line(root, words), typed.text)) {
        if (!candidate.text.starts_with(typed.text)) continue;
        if (options.shell == "bash") {
            const std::string text = for_bash(candidate.text, typed, options.breaks);
            if (!text.empty()) print_line(text);
        } else {
            print_line(candidate.description.empty()
                           ? candidate.text
                           : candidate.text + "\t" + candidate.description);
        }
    }
    return static_cast<int>(Exit::ok);
}

}  // namespace dyad::cli
