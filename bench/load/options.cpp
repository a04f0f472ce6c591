#include "load/options.hpp"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>

namespace dyad::bench {
namespace {

[[noreturn]] void refuse(const std::string& what) {
    std::fprintf(stderr, "wsload: %s\n", what.c_str());
    std::exit(2);
}

Mode mode_by_name(const std::string& name) {
    if (name == "plain") return Mode::plain;
    if (name == "nats") return Mode::nats;
    if (name == "dyad") return Mode::dyad;
    if (name == "acked") return Mode::acked;
    refuse("--mode is plain, nats, dyad or acked, not " + name);
}

}  // namespace

Options parse_options(int count, char** words) {
    Options o;
    const auto size = [](std::size_t& at) {
        return [&at](const std::string& value) { at = std::stoul(value); };
    };
    const auto number = [](double& at) {
        return [&at](const std::string& value) { at = std::stod(value); };
    };
    const std::map<std::string, std::function<void(const std::string&)>> flags = {
        {"--host", [&](const std::string& value) { o.host = value; }},
        {"--label", [&](const std::string& value) { o.label = value; }},
        {"--mode", [&](const std::string& value) { o.mode = mode_by_name(value); }},
        {"--port", [&](const std::string& value) { o.port = std::stoi(value); }},
        {"--pid", [&](const std::string& value) { o.pid = std::stoi(value); }},
        {"--subs", size(o.subscribers)},
        {"--rooms", size(o.rooms)},
        {"--roombase", size(o.room_base)},
        {"--window", size(o.window)},
        {"--rate", number(o.rate)},
        {"--size", size(o.message_bytes)},
        {"--secs", number(o.seconds)},
        {"--warm", number(o.warm_seconds)},
        {"--settle", number(o.settle_seconds)},
        {"--count", [&](const std::string& value) { o.count = std::stoull(value); }},
        {"--nsrc", size(o.sources)},
        {"--stalled", size(o.stalled)},
        {"--idle", number(o.idle_seconds)},
        {"--hold", [&](const std::string& value) { o.hold = value == "1"; }},
    };
    for (int i = 1; i < count; i += 2) {
        const auto flag = flags.find(words[i]);
        if (flag == flags.end()) refuse(std::string("there is no flag ") + words[i]);
        if (i + 1 == count) refuse(std::string(words[i]) + " needs a value");
        try {
            flag->second(words[i + 1]);
        } catch (const std::exception&) {
            refuse(std::string(words[i]) + " needs a number, not " + words[i + 1]);
        }
    }
    if (o.mode == Mode::acked) o.subscribers = 0;
    if (o.rooms == 0) refuse("--rooms must be at least 1");
    return o;
}

}  // namespace dyad::bench
