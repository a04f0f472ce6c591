// How the layers of settings become one value each.
#include "cli/dotenv.hpp"
#include "cli/settings.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr std::string_view kUserId = "DISTRIBUTED_USER_ID";
constexpr std::string_view kExampleUserId = "your-email@example.com";

bool is_ours(std::string_view name) {
    for (const std::string_view prefix : {"DYAD_", "WS_SYNC_", "DISTRIBUTED_USER"})
        if (name.starts_with(prefix)) return true;
    return find_setting(name) != nullptr;
}

bool is_uuidgen(std::string_view value) {
    return value == "$(uuidgen)" || value == "`uuidgen`";
}

// `$(whoami)` or its like within the value; empty: none.
std::string command_within(std::string_view value) {
    std::size_t begin = value.find("$(");
    std::size_t end = begin == std::string_view::npos ? begin : value.rfind(')');
    if (begin == std::string_view::npos) {
        begin = value.find('`');
        end = begin == std::string_view::npos ? begin : value.rfind('`');
    }
    if (begin == std::string_view::npos) return {};
    return std::string(value.substr(begin, end == std::string_view::npos || end <= begin
                                               ? std::string_view::npos
                                               : end + 1 - begin));
}

// A shell's variable, which nobody has put a value in place of.
bool holds_variable(std::string_view value) {
    for (std::size_t at = 0; (at = value.find('$', at)) != std::string_view::npos; ++at) {
        const char next = at + 1 < value.size() ? value[at + 1] : ' ';
        if (next == '{' || next == '_' || (next >= 'A' && next <= 'Z') ||
            (next >= 'a' && next <= 'z'))
            return true;
    }
    return false;
}

class Resolution {
  public:
    explicit Resolution(const Inputs& inputs) : inputs_(inputs) {
        out_.working_folder = inputs.working_folder;
        for (const SettingRow& row : settings_table())
            out_.settings.push_back({&row, std::string(row.fallback), "default"});
    }

    Resolved run() {
        for (const std::string& text : inputs_.unreadable)
            out_.problems.push_back({true, "", text});
        for (const std::string& text : inputs_.passed_over)
            out_.problems.push_back({false, "", text});
        for (const auto* file : {&inputs_.config_file, &inputs_.env_file})
            if (*file) add_file(**file);
        for (const auto& [name, value] : inputs_.environment)
            if (!said_by_main_name(name, value, "environment", inputs_.environment))
                add(name, {value, "environment", ""}, false);
        for (const auto& [name, value] : inputs_.flags)
            add_flag(name, value);
        out_.home = folder_variable("HOME");
        out_.data_home = folder_variable("XDG_DATA_HOME");
        for (Setting& setting : out_.settings)
            if (!setting.value.empty()) finish(setting);
        check_together(out_);
        return std::move(out_);
    }

  private:
    struct Found {
        std::string value;
        std::string source;
        std::string file;  // empty: from no file
        bool literal = false;
        bool shared = false;
    };

    std::optional<std::string> variable(std::string_view name) const {
        for (const auto& [key, value] : inputs_.environment)
            if (key == name) return value;
        return std::nullopt;
    }
    Surroundings surroundings() const {
        return {[this](const std::string& name) { return variable(name); },
                [this](const std::string& user) {
                    return inputs_.home_of ? inputs_.home_of(user) : std::nullopt;
                }};
    }

    static const std::string& value_of(const std::string& value) { return value; }
    static const std::string& value_of(const DotenvEntry* entry) { return entry->value; }

    // Whether an alias stands beside its name in one place. They have to say the same.
    template <class Pairs>
    bool said_by_main_name(std::string_view name, const std::string& value,
                           const std::string& source, const Pairs& pairs) {
        const SettingRow* const row = find_setting(name);
        if (row == nullptr || row->alias != name) return false;
        const auto main = std::find_if(pairs.begin(), pairs.end(),
                                       [&](const auto& pair) { return pair.first == row->name; });
        const std::string mine = normal_setting(*row, value);
        const std::string its =
            main == pairs.end() ? std::string() : normal_setting(*row, value_of(main->second));
        if (its.empty()) return false;
        if (!mine.empty() && mine != its)
            problem(*row, "says something else than " + std::string(name) + " (" + source +
                              "), its other name; keep one of the two");
        return true;
    }

    void add_file(const SettingsFile& file) {
        const Dotenv parsed = parse_dotenv(file.text);
        const auto place = [&file](std::size_t line) {
            return file.path + " line " + std::to_string(line);
        };
        for (const DotenvProblem& problem : parsed.problems)
            if (find_setting(problem.name) != nullptr)
                out_.problems.push_back(
                    {true, problem.name,
                     problem.name + ": " + problem.text + " (" + place(problem.line) + ")"});
        std::map<std::string, const DotenvEntry*, std::less<>> last;
        for (const DotenvEntry& entry : parsed.entries)
            last[entry.name] = &entry;
        for (const auto& [name, entry] : last)
            if (!said_by_main_name(name, entry->value, place(entry->line), last))
                add(name,
                    {entry->value, place(entry->line), file.path, entry->literal, file.shared},
                    true);
    }

    void add_flag(const std::string& name, const std::string& value) {
        const SettingRow& row = *find_setting(name);
        if (normal_setting(row, value).empty())
            return problem(row, std::string(row.flag) + " was given without a value");
        add(name, {value, std::string(row.flag), ""}, false);
    }

    // Puts it over what is there already. `from_file`: where an unknown name of our kind is worth
    // a word even if nothing is near.
    void add(std::string_view name, Found found, bool from_file) {
        const SettingRow* const row = find_setting(name);
        if (row == nullptr) return unknown(name, found.source, from_file);
        std::string value = normal_setting(*row, found.value);
        if (value.empty()) return;
        if (!found.literal && !(row->name == kUserId && is_uuidgen(value)))
            if (const std::string command = command_within(value); !command.empty())
                return refuse_command(*row, found, command);
        if (found.shared && row->area == "log")
            if (const auto wrong = check_setting(*row, value)) {
                problem(*row,
                        "\"" + value + "\" (" + found.source + ") " + *wrong +
                            "; taken for another program's and passed over",
                        false);
                return;
            }
        Setting& setting = out_.settings[static_cast<std::size_t>(row - settings_table().data())];
        setting.value = std::move(value);
        setting.source = std::move(found.source);
        setting.given = true;
        setting.literal = found.literal;
    }

    void unknown(std::string_view name, const std::string& source, bool from_file) {
        const SettingRow* const near = nearest_setting(name);
        if (near == nullptr && !(from_file && is_ours(name))) return;
        std::string text = std::string(name) + ": there is no such setting (" + source + ")";
        if (near != nullptr) text.append("; did you mean ").append(near->name).append("?");
        out_.problems.push_back({false, std::string(name), std::move(text)});
    }

    void refuse_command(const SettingRow& row, const Found& found, const std::string& command) {
        const std::string name(row.name);
        std::string text = "\"" + found.value + "\" (" + found.source +
                           ") holds a command, and nothing is run here; ";
        if (found.file.empty())
            text.append("let a shell run it, or write what it prints");
        else if (found.value.find_first_of("|\"&\\\n'") != std::string::npos)
            text.append("write what ").append(command).append(" prints");
        else
            text.append("to write what it prints: sed -i \"s|")
                .append(name + "=.*|" + name + "=" + found.value + "|\" '" + found.file + "'");
        problem(row, std::move(text));
    }

    void problem(const SettingRow& row, std::string text, bool fatal = true) {
        const std::string name(row.name);
        out_.problems.push_back({fatal, name, name + ": " + std::move(text)});
    }

    // A folder that is relative, or that cannot be told, is none (XDG Base Directory
    // Specification).
    std::optional<std::string> folder_variable(const char* name) {
        const std::optional<std::string> value = variable(name);
        if (!value || value->empty()) return std::nullopt;
        const Result<std::string> folder = expand_path(*value, surroundings());
        if (folder && folder->starts_with('/')) return *folder;
        if (!out_.at("DYAD_DATA_DIR").given)
            out_.problems.push_back({false, "DYAD_DATA_DIR",
                                     std::string(name) + ": \"" + *value +
                                         "\" is no folder from / on, and does not count"});
        return std::nullopt;
    }

    void finish(Setting& setting) {
        const SettingRow& row = *setting.row;
        const auto refuse = [&](const std::string& wrong) {
            problem(row, "\"" + shown_setting(row, setting.value) + "\" (" + setting.source + ") " +
                             wrong);
        };
        if (row.type == SettingType::path) {
            Result<std::string> path = expand_path(setting.value, surroundings());
            if (!path) return refuse(path.error().detail);
            if (*path != setting.value) setting.by_letter = setting.value;
            setting.value = *std::move(path);
            // One file for all folders: what it names has to be one folder, too.
            const auto& file = inputs_.config_file;
            if (file && setting.source.starts_with(file->path + " line ") &&
                !setting.value.starts_with('/'))
                return refuse(
                    "would be another folder wherever a command is started; write the path from / "
                    "or ~ on");
        }
        if (row.name == kUserId && !setting.literal) {
            if (is_uuidgen(setting.value)) return take_kept_user_id(setting);
            if (holds_variable(setting.value))
                return refuse(
                    "holds a variable, which is not looked up here; write the name "
                    "itself");
            if (setting.value == kExampleUserId)
                problem(row,
                        "\"" + setting.value +
                            "\" is the guide's example; put your own address in its place, "
                            "before there is a memory under this name",
                        false);
        }
        if (const auto wrong = check_setting(row, setting.value)) refuse(*wrong);
    }

    void take_kept_user_id(Setting& setting) {
        Result<KeptUserId> kept = inputs_.kept_user_id ? inputs_.kept_user_id()
                                                       : Result<KeptUserId>(fail(Errc::not_found));
        if (kept) {
            setting.value = kept->id;
            setting.source.append(": $(uuidgen), kept in ").append(kept->path);
            if (kept->made)
                out_.note = "DISTRIBUTED_USER_ID=$(uuidgen): the id " + kept->id +
                            " was made, and is kept in " + kept->path;
        } else if (kept.error().code == Errc::not_found) {
            setting.source.append(": made when it is first needed, and kept");
        } else {
            problem(*setting.row, "\"" + setting.value + "\" (" + setting.source +
                                      ") stands for a UUID that is kept: " + kept.error().detail);
        }
    }

    const Inputs& inputs_;
    Resolved out_;
};

}  // namespace

Resolved resolve(const Inputs& inputs) {
    return Resolution(inputs).run();
}

}  // namespace dyad::cli
