// `dyad-memory doctor`.
#include "cli/doctor.hpp"

#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"
#include "net/socket.hpp"

#include <algorithm>

#include <sys/stat.h>

namespace dyad::cli {
namespace {

struct DoctorOptions {
    std::string folder;       // to check by itself; empty: the whole setup
    bool write_test = false;  // on the running server
};

struct Shown {
    const char* name;
    const char* mark;
    Colour colour;
};
// By Verdict.
constexpr Shown kShown[] = {{"ok", "✓", Colour::green},
                            {"note", "·", Colour::cyan},
                            {"warn", "!", Colour::amber},
                            {"fail", "✗", Colour::red},
                            {"skipped", "–", Colour::dim}};

const Shown& shown(Verdict verdict) {
    return kShown[static_cast<std::size_t>(verdict)];
}

void append(std::vector<Finding>& out, const std::vector<Finding>& more) {
    out.insert(out.end(), more.begin(), more.end());
}

void check_settings(const Inputs& inputs, const Resolved& settings, std::vector<Finding>& out) {
    std::string files;
    for (const auto* file : {&inputs.env_file, &inputs.config_file})
        if (*file) files.append(files.empty() ? "" : " and ").append((*file)->path);
    out.push_back({Verdict::ok, "Settings file",
                   files.empty() ? "none; environment and defaults count" : "read " + files});
    for (const Problem& problem : settings.problems)
        out.push_back({problem.fatal ? Verdict::fail : Verdict::warn, "Settings", problem.text,
                       problem.fatal ? "correct it, then: dyad-memory config check" : ""});
    if (!settings.has_fatal())
        out.push_back(
            {Verdict::ok, "Settings", "all values are good, MongoDB's and Redis's included"});
    const char* const why =
        settings.at("DISTRIBUTED_USER_ID").given ? "" : ", since DISTRIBUTED_USER_ID is not set";
    out.push_back({Verdict::ok, "User", "\"" + settings.user_id() + "\"" + why});
}

// Where nothing answers at the server's address: whether one could be started there.
Finding check_address(const Resolved& settings, const Url& url) {
    const std::string holder = net::port_holder(url.port).text;
    if (settings.at("DYAD_URL").given)
        return {Verdict::fail, "Server", "nothing answers at " + url.text(),
                "start it there, or correct --url or DYAD_URL"};
    if (holder.empty())
        return {Verdict::note, "Server", "nothing answers at " + url.text(),
                "start it: dyad-memory serve"};
    return {Verdict::fail, "Server",
            "nothing answers, but port " + std::to_string(url.port) + " is held by " + holder,
            "stop it, or choose another port with WS_SYNC_PORT or --port"};
}

std::vector<Finding> check_place(const std::string& folder, const OnProgress& on_progress) {
    if (struct stat status{}; stat(folder.c_str(), &status) != 0)
        return {{Verdict::fail, "Data folder", folder + " is not there", "name the one to check"}};
    std::vector<Finding> out = check_folder(folder);
    if (out.back().verdict != Verdict::fail) append(out, check_store(folder, on_progress));
    return out;
}

std::vector<Finding> check_all(const CommonOptions& common, const DoctorOptions& options,
                               const OnProgress& on_progress) {
    const Inputs inputs = read_inputs(common.flags, common.env_file);
    const Resolved settings = resolve(inputs);
    std::vector<Finding> out;
    check_settings(inputs, settings, out);
    const bool embedded = !settings.follows_master("ENABLE_MONGODB");
    if (embedded) append(out, check_folder(settings.data_dir()));
    const bool usable = !embedded || out.back().verdict != Verdict::fail;
    if (!settings.has_fatal()) append(out, check_backends(settings));
    if (!Url::parse(settings.url())) return out;
    RestClient client(settings, common);
    const bool answers = can_connect(client.url());
    if (!answers && usable) out.push_back(check_address(settings, client.url()));
    const std::size_t before = out.size();
    if (answers) append(out, check_server(client, on_progress));
    const bool ours = out.size() > before + 1;  // of another one there is nothing but that to say
    if (!ours && usable && embedded) append(out, check_store(settings.data_dir(), on_progress));
    if (ours && options.write_test) append(out, test_writing(client));
    return out;
}

void print_findings(const std::vector<Finding>& findings) {
    std::size_t width = 0;
    for (const Finding& finding : findings)
        width = std::max(width, finding.check.size());
    for (const Finding& finding : findings) {
        print_line(paint(shown(finding.verdict).colour, shown(finding.verdict).mark) + " " +
                   padded(finding.check, width + 2) + printable(finding.text));
        if (!finding.advice.empty())
            print_line(std::string(width + 4, ' ') +
                       paint(Colour::cyan, "→ " + printable(finding.advice)));
    }
}

Exit run_doctor(const CommonOptions& common, const DoctorOptions& options) {
    const OnProgress on_progress = [](std::size_t done, std::size_t of) {
        if (of > 1000) show_percent("checking the store: ", done, of);
    };
    const std::vector<Finding> findings = options.folder.empty()
                                              ? check_all(common, options, on_progress)
                                              : check_place(options.folder, on_progress);
    std::size_t count[std::size(kShown)] = {};  // by Verdict
    boost::json::array list;
    for (const Finding& finding : findings) {
        ++count[static_cast<std::size_t>(finding.verdict)];
        list.push_back({{"verdict", shown(finding.verdict).name},
                        {"check", finding.check},
                        {"text", finding.text},
                        {"advice", finding.advice}});
    }
    const auto good = count[static_cast<std::size_t>(Verdict::ok)];
    const auto warned = count[static_cast<std::size_t>(Verdict::warn)];
    const auto failed = count[static_cast<std::size_t>(Verdict::fail)];
    if (common.json) {
        print_json({{"ok", failed == 0}, {"checks", std::move(list)}});
    } else {
        print_findings(findings);
        print_line("\n" + std::to_string(good) + " good, " + counted(warned, "warning") + ", " +
                   std::to_string(failed) + " failed");
    }
    return failed > 0 ? Exit::failed : Exit::ok;
}

}  // namespace

void add_doctor(Command& root) {
    const auto o = std::make_shared<DoctorOptions>();
    root.add("doctor", "Check the whole setup and say what to do", run_doctor, o)
        .path("FOLDER", o->folder, "Check only the store in this folder")
        .required(false)
        .flag("--write-test", o->write_test,
              "Also write, read and switch a mode, as a user made for it")
        .footer(
            "It changes nothing, here or on the server, but with --write-test.\nExit "
            "status: 0 done, 1 where a check failed.",
            false);
}

}  // namespace dyad::cli
