using System.Net;
using System.Net.Http.Json;
using Fleet.Gateway.Tests.Peers;
using Microsoft.AspNetCore.Builder;
using PictureService;

namespace Fleet.Gateway.Tests.Samples;

public sealed class PictureServiceTests : IAsyncLifetime
{
    private TestFleet fleet = null!;
    private WebApplication service = null!;
    private HttpClient http = null!;

    public async ValueTask InitializeAsync()
    {
        fleet = await TestFleet.StartAsync("--Gateway:CallerGrace=00:00:00");
        service = PictureHost.Create("--urls=http://127.0.0.1:0", "--Logging:LogLevel:Default=None", $"--Fleet:Address={fleet.Address}");
        await service.StartAsync(TestContext.Current.CancellationToken);
        http = new HttpClient { BaseAddress = new Uri(service.Urls.Single()) };
    }

    [Fact]
    public async Task Pictures_Prompt_ReturnsThePicture()
    {
        using var response = await PostAsync("/pictures", new { prompt = "a fox", steps = 2, seed = 7 });

        response.Content.Headers.ContentType!.MediaType.Should().Be("image/png");
        response.Headers.GetValues("Picture-Seed").Should().Equal("7");
        byte[] picture = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        picture.Should().Equal(fleet.Denoiser.Picture(fleet.Denoiser.Jobs.Single().Start, 0));
    }

    [Fact]
    public async Task Pictures_BadRequest_HasTheFleetsWords()
    {
        using var response = await PostAsync("/pictures", new { prompt = "a fox", steps = 0 });

        response.StatusCode.Should().Be(HttpStatusCode.BadRequest);
        (await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Should().Contain("steps is 0; give a whole number from 1 to 1000.");
    }

    [Fact]
    public async Task Pictures_BrowserGoesAway_StopsTheWork()
    {
        var gate = new Gate(fleet.Denoiser, Moment.Step, number: 1);
        using var gone = new CancellationTokenSource();
        var request = http.PostAsJsonAsync("/pictures", new { prompt = "a fox" }, gone.Token);
        await gate.Reached;

        await gone.CancelAsync();

        await gate.Cancelled;
        var wait = () => request;
        await wait.Should().ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task Events_Prompt_StreamsProgressAndThePicture()
    {
        using var response = await PostAsync("/pictures/events", new { prompt = "a fox", steps = 2 });

        string events = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        events.Split('\n').Where(line => line.StartsWith("event:", StringComparison.Ordinal))
            .Should().Equal("event: progress", "event: progress", "event: picture");
    }

    [Fact]
    public async Task Health_FleetGoesDown_SaysSo()
    {
        (await http.GetAsync("/health", TestContext.Current.CancellationToken)).StatusCode.Should().Be(HttpStatusCode.OK);

        await fleet.DisposeAsync();

        (await http.GetAsync("/health", TestContext.Current.CancellationToken)).StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable);
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await service.DisposeAsync();
        await fleet.DisposeAsync();
    }

    private Task<HttpResponseMessage> PostAsync(string path, object body) => http.PostAsJsonAsync(path, body, TestContext.Current.CancellationToken);
}
