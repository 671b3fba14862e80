namespace Fleet.Gateway.Recipes;

/// <summary>What the "parameters" record calls schedulers and their sigmas, after the web UI that the record comes from.</summary>
internal static class SamplerNames
{
    public static string Sampler(string scheduler) => scheduler switch
    {
        "ddim" => "DDIM",
        "ddpm" => "DDPM",
        "pndm" => "PLMS",
        "lms" => "LMS",
        "euler" => "Euler",
        "euler-a" => "Euler a",
        "heun" => "Heun",
        "dpm2" => "DPM2",
        "dpm2-a" => "DPM2 a",
        "dpmpp-2m" => "DPM++ 2M",
        "dpmpp-2m-sde" => "DPM++ 2M SDE",
        "dpmpp-2s" => "DPM++ 2S",
        "unipc" => "UniPC",
        "deis" => "DEIS",
        "lcm" => "LCM",
        "tcd" => "TCD",
        _ => scheduler,
    };

    public static string Schedule(string sigmas) => sigmas switch
    {
        "karras" => "Karras",
        "exponential" => "Exponential",
        "beta" => "Beta",
        _ => sigmas,
    };
}
