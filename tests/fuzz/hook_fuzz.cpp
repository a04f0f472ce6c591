// Events of hooks: anything at all. What is forwarded is read again as the same.
#include "server/hooks/answer.hpp"
#include "server/hooks/event.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace dyad;
    using namespace dyad::server;
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto assistant = static_cast<hooks::Assistant>(data[0] % 4);
    static_cast<void>(hooks::last_said(text, 3, 100));
    const auto event = hooks::read_event(assistant, text, "Stop");
    if (!event) return 0;
    static_cast<void>(hooks::answer(*event, "facts", hooks::refusal(*event, {{"file:a", "b", 0}})));
    const std::string forwarded = hooks::forwarded(*event);
    const auto again = hooks::read_event(assistant, forwarded);
    CHECK(again);
    CHECK(hooks::forwarded(*again) == forwarded);
    CHECK(again->writes == event->writes && again->files == event->files);
    return 0;
}
