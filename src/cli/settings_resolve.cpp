// How the layers of settings become one value each.
#include "auth/authority.hpp"
#include "cli/dotenv.hpp"
#include "cli/settings.hpp"
#include "cli/text.hpp"

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
    for (const auto& [open, close] : {std::pair{"$(", ')'}, std::pair{"`", '`'}}) {
        const std::size_t begin = value.find(open);
        if (begin == std::string_view::npos) continue;
        const std::size_t end = value.rfind(close);
        const bool closed = end != std::string_view::npos && end > begin;
        return std::string(value.substr(begin, closed ? end + 1 - begin : value.npos));
    }
    return {};
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

// Whether the options of a MongoDB URL switch TLS on (true) or off (false).
std::optional<bool> tls_of_url(std::string_view url) {
    std::string_view options = url.substr(std::min(url.find('?'), url.size()));
    std::optional<bool> tls;
    if (url.starts_with("mongodb+srv://")) tls = true;
    while (!options.empty()) {
        std::string value = to_lower(take_part(options, '&'));
        if (value.starts_with('?')) value.erase(0, 1);
        for (const char* const name : {"tls=", "ssl="})
            if (value.starts_with(name)) tls = value.ends_with("=true");
    }
    return tls;
}

// What a setting is said to be, in one place.
struct Said {
    std::string value;
    std::string source;
    bool literal = false;
    const SettingsFile* file = nullptr;  // where it stands in one
};
// All that one place says, by name.
using Layer = std::map<std::string, Said, std::less<>>;

class Resolution {
  public:
    explicit Resolution(const Inputs& inputs) : inputs_(inputs) {
        out_.working_folder = inputs.working_folder;
        for (const SettingRow& row : settings_table())
            out_.settings.push_back({&row, std::string(row.fallback), "default"});
    }

    Resolved run() {
        for (const std::string& text : inputs_.unreadable)
            say(true, "", text);
        for (const std::string& text : inputs_.passed_over)
            say(false, "", text);
        for (const auto* file : {&inputs_.config_file, &inputs_.env_file})
            if (*file) add(read_file(**file));
        Layer environment, flags;
        for (const auto& [name, value] : inputs_.environment)
            environment[name] = {value, "environment"};
        for (const auto& [name, value] : inputs_.flags)
            flags[name] = {value, std::string(find_setting(name)->flag)};
        add(environment);
        add(flags);
        out_.home = folder_variable("HOME");
        out_.data_home = folder_variable("XDG_DATA_HOME");
        for (Setting& setting : out_.settings)
            if (!setting.value.empty()) finish(setting);
        check_together();
        return std::move(out_);
    }

  private:
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

    Layer read_file(const SettingsFile& file) {
        const Dotenv parsed = parse_dotenv(file.text);
        const auto place = [&file](std::size_t line) {
            return file.path + " line " + std::to_string(line);
        };
        for (const DotenvProblem& problem : parsed.problems)
            if (find_setting(problem.name) != nullptr)
                say(true, problem.name,
                    problem.name + ": " + problem.text + " (" + place(problem.line) + ")");
        Layer layer;
        for (const DotenvEntry& entry : parsed.entries)
            layer[entry.name] = {entry.value, place(entry.line), entry.literal, &file};
        return layer;
    }

    void add(const Layer& layer) {
        for (const auto& [name, said] : layer) {
            const SettingRow* const row = find_setting(name);
            if (row == nullptr)
                unknown(name, said);
            else if (row->alias != name || !is_said_by_main_name(*row, said, layer))
                add(*row, said);
        }
    }

    // Whether an alias stands beside its name in one place. They have to say the same.
    bool is_said_by_main_name(const SettingRow& row, const Said& alias, const Layer& layer) {
        const auto main = layer.find(row.name);
        if (main == layer.end()) return false;
        const std::string mine = normal_setting(row, alias.value);
        const std::string its = normal_setting(row, main->second.value);
        if (!mine.empty() && !its.empty() && mine != its)
            problem(row.name, "says something else than " + std::string(row.alias) + " (" +
                                  alias.source + "), its other name; keep one of the two");
        return !its.empty();
    }

    // Puts it over what is there already.
    void add(const SettingRow& row, const Said& said) {
        std::string value = normal_setting(row, said.value);
        if (value.empty()) {
            if (said.source == row.flag)
                problem(row.name, std::string(row.flag) + " was given without a value");
            return;
        }
        if (!said.literal && !(row.name == kUserId && is_uuidgen(value)))
            if (const std::string command = command_within(value); !command.empty())
                return refuse_command(row, said, command);
        if (said.file != nullptr && said.file->shared && row.area == "log")
            if (const auto wrong = check_setting(row, value))
                return refuse(row, value, said.source,
                              *wrong + "; taken for another program's and passed over", false);
        out_.settings[static_cast<std::size_t>(&row - settings_table().data())] = {
            &row, std::move(value), said.source, true, said.literal};
    }

    void unknown(std::string_view name, const Said& said) {
        const SettingRow* const near = nearest_setting(name);
        if (near == nullptr && !(said.file != nullptr && is_ours(name))) return;
        std::string text = std::string(name) + ": there is no such setting (" + said.source + ")";
        if (near != nullptr) text.append("; did you mean ").append(near->name).append("?");
        say(false, name, std::move(text));
    }

    void refuse_command(const SettingRow& row, const Said& said, const std::string& command) {
        const std::string name(row.name);
        std::string text = "holds a command, and nothing is run here; ";
        if (said.file == nullptr)
            text.append("let a shell run it, or write what it prints");
        else if (row.is_secret())
            text.append("write what it prints");
        else if (said.value.find_first_of("|\"&\\\n'") != std::string::npos)
            text.append("write what ").append(command).append(" prints");
        else
            text.append("to write what it prints: sed -i \"s|")
                .append(name + "=.*|" + name + "=" + said.value + "|\" '" + said.file->path + "'");
        refuse(row, shown_setting(row, said.value), said.source, text);
    }

    void say(bool fatal, std::string_view name, std::string text) {
        out_.problems.push_back({fatal, std::string(name), std::move(text)});
    }
    void problem(std::string_view name, const std::string& text, bool fatal = true) {
        say(fatal, name, std::string(name) + ": " + text);
    }
    void refuse(const SettingRow& row, const std::string& value, const std::string& source,
                const std::string& wrong, bool fatal = true) {
        problem(row.name, "\"" + value + "\" (" + source + ") " + wrong, fatal);
    }

    // A folder that is relative, or that cannot be told, is none (XDG Base Directory
    // Specification).
    std::optional<std::string> folder_variable(const char* name) {
        const std::optional<std::string> value = variable(name);
        if (!value || value->empty()) return std::nullopt;
        const Result<std::string> folder = expand_path(*value, surroundings());
        if (folder && folder->starts_with('/')) return *folder;
        if (!out_.at("DYAD_DATA_DIR").given)
            say(false, "DYAD_DATA_DIR",
                std::string(name) + ": \"" + *value +
                    "\" is no folder from / on, and does not count");
        return std::nullopt;
    }

    void finish(Setting& setting) {
        const SettingRow& row = *setting.row;
        const auto refuse_it = [&](const std::string& wrong) {
            refuse(row, shown_setting(row, setting.value), setting.source, wrong);
        };
        if (row.type == SettingType::path || row.type == SettingType::file) {
            Result<std::string> path = expand_path(setting.value, surroundings());
            if (!path) return refuse_it(path.error().detail);
            if (*path != setting.value) setting.by_letter = setting.value;
            setting.value = *std::move(path);
            // One file for all folders: what it names has to be one folder, too.
            const auto& file = inputs_.config_file;
            if (file && setting.source.starts_with(file->path + " line ") &&
                !setting.value.starts_with('/'))
                return refuse_it(
                    "would be another one wherever a command is started; write the path from / "
                    "or ~ on");
        }
        if (row.name == kUserId && !setting.literal) {
            if (is_uuidgen(setting.value)) return take_kept_user_id(setting);
            if (holds_variable(setting.value))
                return refuse_it(
                    "holds a variable, which is not looked up here; write the name "
                    "itself");
            if (setting.value == kExampleUserId)
                problem(row.name,
                        "\"" + setting.value +
                            "\" is the guide's example; put your own address in its place, "
                            "before there is a memory under this name",
                        false);
        }
        if (const auto wrong = check_setting(row, setting.value)) refuse_it(*wrong);
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
            refuse(*setting.row, setting.value, setting.source,
                   "stands for a UUID that is kept: " + kept.error().detail);
        }
    }

    // Of MongoDB and Redis, where they are used: what of them says one thing and another.
    void check_many_nodes() {
        const bool mongodb = out_.follows_master("ENABLE_MONGODB");
        const bool redis = out_.follows_master("ENABLE_REDIS");
        if (out_.boolean("ENABLE_DISTRIBUTED_MEMORY") && !mongodb && !redis)
            problem("ENABLE_DISTRIBUTED_MEMORY",
                    "is true, but ENABLE_MONGODB and ENABLE_REDIS are both false: this node shares "
                    "nothing with others",
                    false);
        else if (redis && !mongodb)
            problem("ENABLE_REDIS",
                    "nodes do not share a memory through Redis alone: this one keeps its own, and "
                    "existing instances hear of it; other nodes need ENABLE_MONGODB=true, too",
                    false);
        const std::optional<bool> in_url = tls_of_url(out_.text("MONGODB_URL"));
        if (mongodb && out_.boolean("MONGODB_TLS") && in_url == false)
            problem("MONGODB_TLS",
                    "is true, but MONGODB_URL switches TLS off; take it out of the URL");
        if (mongodb && out_.at("MONGODB_TLS_CA_FILE").given && !out_.boolean("MONGODB_TLS") &&
            in_url != true)
            problem("MONGODB_TLS_CA_FILE",
                    "is of no use, since TLS is off; set MONGODB_TLS=true, or take it out");
        if (redis && out_.at("REDIS_TLS_CA_FILE").given && !out_.boolean("REDIS_TLS") &&
            !out_.text("REDIS_URL").starts_with("rediss://"))
            problem("REDIS_TLS_CA_FILE",
                    "is of no use, since TLS is off; write rediss:// in REDIS_URL, or take it out");
    }

    // What must hold between settings. Only values that are good by themselves are looked at.
    void check_together() {
        const auto is_good = [this](std::string_view name) {
            const Setting& setting = out_.at(name);
            return setting.value.empty() || !check_setting(*setting.row, setting.value);
        };
        if (is_good("WS_STALE_TIMEOUT") && is_good("WS_PING_INTERVAL") &&
            out_.integer("WS_STALE_TIMEOUT") <= out_.integer("WS_PING_INTERVAL"))
            problem("WS_STALE_TIMEOUT",
                    "must be more than WS_PING_INTERVAL, or live connections are closed");
        if (is_good("MONGODB_MIN_POOL_SIZE") && is_good("MONGODB_MAX_POOL_SIZE") &&
            out_.integer("MONGODB_MIN_POOL_SIZE") > out_.integer("MONGODB_MAX_POOL_SIZE"))
            problem("MONGODB_MIN_POOL_SIZE", "must not be more than MONGODB_MAX_POOL_SIZE");
        check_many_nodes();
        if (out_.boolean("ENABLE_DISTRIBUTED_MEMORY") && out_.text(kUserId).empty())
            problem(
                kUserId,
                "is required with ENABLE_DISTRIBUTED_MEMORY=true: set it to an address or a name "
                "of yours");
        if (out_.boolean("WS_TLS"))
            problem("WS_TLS",
                    "the server has no TLS of its own in this version, and does not go on without; "
                    "put a TLS proxy in front and set WS_TLS=false");
        const std::string& host = out_.text("DYAD_HOST");
        if (is_good("DYAD_HOST") && is_good("DYAD_ALLOW_REMOTE") && !auth::is_loopback(host) &&
            !out_.boolean("DYAD_ALLOW_REMOTE"))
            problem("DYAD_HOST",
                    "\"" + host +
                        "\" can be reached by other machines, and the server does not ask who is "
                        "there; use 127.0.0.1, or put an authenticating proxy in front and set "
                        "DYAD_ALLOW_REMOTE=true");
    }

    const Inputs& inputs_;
    Resolved out_;
};

}  // namespace

Resolved resolve(const Inputs& inputs) {
    return Resolution(inputs).run();
}

}  // namespace dyad::cli
